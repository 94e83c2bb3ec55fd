//! Tables from keys to records in which a look-up touches one place in memory.
//!
//! A block is one cache line, or a few where records are long: numbers by which keys are recognised, and behind them the records of the same features. Features
//! come in ascending order of their keys; the top bits of a key say which block is its home, and what finds no room there moves on to the next. A
//! look-up compares all numbers of a block at once and does the same for known and unknown keys, so that the processor has the loads of many keys
//! under way together. Were the records elsewhere, each hit would wait a second time: tables of large models do not fit the cache.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use memmap2::MmapMut;
use wide::u32x8;

/// Words of a cache line.
const LINE: usize = 16;
/// Words of a block that are compared: its head, its checks, and perhaps what comes behind, which is left out of the answer.
const COMPARED: usize = 8;
/// Least share of places that a table takes.
pub(super) const LEAST_FILL: f32 = 0.4;
/// Marks the head of a block from which features have moved on.
const MOVED_ON: u32 = 1 << 31;
/// The address of the feature that there is not: it has a record, of zeros, so that unknown n-grams need no case of their own.
pub(super) const NOTHING: u32 = 0;

#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u32; LINE]);

/// The blocks of several tables. A block holds its head (the rank of its first feature), the checks of its features, and their records; the first one is empty. The
/// address of a feature is the word at which its record begins.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Lines, zero where nothing is. On large pages where the system has them: one fault instead of hundreds while it is filled.
    memory: MmapMut,
    n_blocks: usize,
    /// Words of a block.
    width: usize,
    n_places: usize,
    /// Words of a record.
    stride: usize,
    /// Features so far.
    n_features: u32,
}

/// One table: which blocks its keys are in.
#[derive(Debug, Clone)]
pub(super) struct Table {
    first: usize,
    n_homes: u64,
    /// How many top bits of a key choose its home.
    top_bits: u32,
    /// Which of the compared words are checks, one bit each.
    checks: u32,
    /// Top bits, low bits and address of features that could be taken for another one; nearly always none.
    twins: Vec<(u64, u32, u32)>,
}

impl Blocks {
    /// No table yet, and [`NOTHING`]; for `n_features` at most, with records of `stride` words.
    pub(super) fn new(stride: usize, n_features: usize) -> Self {
        let n_fitting = |words: usize| (words - 1) / (1 + stride);
        let width = (1..).map(|n| n * LINE).find(|&words| n_fitting(words) >= 3).expect("there are larger blocks");
        let n_places = n_fitting(width).min(COMPARED - 1);
        // Room for homes and for a block of its own for every feature; what stays empty is never touched.
        let n_blocks = (n_features as f32 / (LEAST_FILL * n_places as f32)) as usize + n_features + 16;
        Self { memory: zeros(n_blocks * width), n_blocks: 1, width, n_places, stride, n_features: 0 }
    }

    /// Records without keys. The address of a feature is one more than its rank, times `stride`.
    pub(super) fn without_keys<'r>(stride: usize, records: impl ExactSizeIterator<Item = &'r [u32]>) -> Self {
        let n_features = records.len();
        let mut memory = zeros((1 + n_features) * stride);
        let words: &mut [u32] = bytemuck::cast_slice_mut(&mut memory);
        words.chunks_exact_mut(stride).skip(1).zip(records).for_each(|(words, record)| words.copy_from_slice(record));
        Self { memory, n_blocks: 0, width: stride, n_places: 0, stride, n_features: n_features as u32 }
    }

    /// Starts a table of `n` features, of whose keys `top_bits` top bits (at most 32) are known. Of all places the share `fill` will be taken: the fewer, the
    /// fewer features have to move on, and the more memory is read.
    pub(super) fn start_table(&mut self, n: usize, fill: f32, top_bits: u32) -> Filler {
        debug_assert!(fill >= LEAST_FILL);
        let first = self.n_blocks;
        let n_homes = 1 + (n as f32 / (fill * self.n_places as f32)) as usize;
        self.n_blocks += n_homes;
        let checks = ((1 << self.n_places) - 1) << 1;
        let table = Table { first, n_homes: n_homes as u64, top_bits, checks, twins: Vec::new() };
        Filler { table, block: first, place: 0, twins: Vec::new() }
    }

    #[inline(always)]
    fn words(&self) -> &[u32] {
        bytemuck::cast_slice(&self.memory)
    }

    #[inline(always)]
    fn lines(&self) -> &[Line] {
        bytemuck::cast_slice(&self.memory)
    }

    #[inline]
    fn write(&mut self, block: usize, place: usize, rank: u32, check: u32, record: &[u32]) {
        let start = block * self.width;
        self.n_blocks = self.n_blocks.max(block + 1);
        let (n_places, stride) = (self.n_places, self.stride);
        let words: &mut [u32] = &mut bytemuck::cast_slice_mut(&mut self.memory)[start..start + self.width];
        if place == 0 {
            words[0] = rank;
        }
        words[1 + place] = check;
        words[1 + n_places + place * stride..][..stride].copy_from_slice(record);
    }

    #[inline(always)]
    fn address(&self, block: usize, place: usize) -> u32 {
        (block * self.width + 1 + self.n_places + place * self.stride) as u32
    }

    /// Calls `found` with word `i` of the record of each feature, in order.
    #[inline(always)]
    pub(super) fn word_of_each(&self, addresses: impl Iterator<Item = u32>, i: usize, mut found: impl FnMut(u32)) {
        let words = &self.words()[i..];
        addresses.for_each(|address| found(words[address as usize]));
    }

    /// Words of the record of a feature.
    #[inline(always)]
    pub(super) fn record(&self, address: u32, range: Range<usize>) -> &[u32] {
        &self.words()[address as usize + range.start..address as usize + range.end]
    }

    /// The feature's place in the order in which features were added.
    pub(super) fn rank(&self, address: u32) -> usize {
        let address = address as usize;
        if self.n_places == 0 {
            return address / self.stride - 1;
        }
        let block = address / self.width * self.width;
        (self.words()[block] & !MOVED_ON) as usize + (address - block - 1 - self.n_places) / self.stride
    }

    /// Calls `found` with the address of each key, [`NOTHING`] where the table has none, in order.
    #[inline(always)]
    pub(super) fn find_each(&self, table: &Table, keys: &[u64], mut found: impl FnMut(u32)) {
        if !table.twins.is_empty() {
            keys.iter().for_each(|&key| found(table.twin(key).unwrap_or_else(|| self.find_in(table, key))));
            return;
        }
        // Copies, which the compiler may keep in registers.
        let (lines, lines_of_block, stride) = (self.lines(), self.width / LINE, self.stride);
        let (n_homes, first, shift, checks) = (table.n_homes, table.first, table.top_bits, table.checks);
        let before_records = (1 + self.n_places).wrapping_sub(stride);
        for &key in keys {
            let number = (first + (((key >> (64 - shift)) * n_homes) >> shift) as usize) * lines_of_block;
            let line = &lines[number].0;
            let equal = positions(line, check(key as u32)) & checks;
            let is_elsewhere = equal == 0 && line[0] >= MOVED_ON;
            // The place of the first feature is bit 1.
            let address = (number * LINE + equal.trailing_zeros() as usize * stride).wrapping_add(before_records) as u32;
            let address = if equal == 0 { NOTHING } else { address };
            found(if is_elsewhere { self.find_in(table, key) } else { address });
        }
    }

    /// The same for a table that does not fit the cache: `heads` is a buffer for a pass that does nothing but load one word of each block. With so few
    /// instructions a key, the processor has dozens of loads under way.
    #[inline(always)]
    pub(super) fn find_each_far(&self, table: &Table, keys: &[u64], heads: &mut Vec<u32>, found: impl FnMut(u32)) {
        let (lines, lines_of_block) = (self.lines(), self.width / LINE);
        heads.clear();
        heads.extend(keys.iter().map(|&key| lines[table.home(table.top(key)) * lines_of_block].0[0]));
        self.find_each(table, keys, found);
    }

    /// The address of one key, be it in its home or in a later block.
    #[inline(never)]
    fn find_in(&self, table: &Table, key: u64) -> u32 {
        let mut block = table.home(table.top(key));
        loop {
            let line = &self.lines()[block * self.width / LINE].0;
            let equal = positions(line, check(key as u32)) & table.checks;
            if equal != 0 {
                return self.address(block, equal.trailing_zeros() as usize - 1);
            }
            if line[0] < MOVED_ON {
                return NOTHING;
            }
            block += 1;
        }
    }
}

impl Table {
    #[inline(always)]
    fn top(&self, key: u64) -> u64 {
        key >> (64 - self.top_bits)
    }

    #[inline(always)]
    fn home(&self, top: u64) -> usize {
        // Both factors are below 2³².
        self.first + ((top * self.n_homes) >> self.top_bits) as usize
    }

    #[cold]
    fn twin(&self, key: u64) -> Option<u32> {
        let at = self.twins.binary_search_by_key(&(self.top(key), key as u32), |&(top, low, _)| (top, low)).ok()?;
        Some(self.twins[at].2)
    }
}

/// A table being filled.
#[derive(Debug)]
pub(super) struct Filler {
    table: Table,
    /// Where the next feature goes.
    block: usize,
    place: usize,
    /// Rank, top bits, low bits and record of features that could be taken for an earlier one.
    twins: Vec<(u32, u64, u32, Vec<u32>)>,
}

impl Filler {
    /// Adds the next feature in ascending order of keys: the top bits of its key, the low 32, and its record.
    #[inline]
    pub(super) fn push(&mut self, blocks: &mut Blocks, top: u64, low: u32, record: &[u32]) {
        let home = self.table.home(top);
        if home > self.block {
            (self.block, self.place) = (home, 0);
        }
        if self.has_twin(blocks, home, check(low)) {
            self.twins.push((blocks.n_features, top, low, record.to_vec()));
            // The ranks of a block have no gap.
            self.place = blocks.n_places;
        } else {
            self.put(blocks, check(low), record);
        }
        blocks.n_features += 1;
    }

    /// The table.
    pub(super) fn finish(mut self, blocks: &mut Blocks) -> Table {
        for (rank, top, low, record) in self.twins {
            let block = blocks.n_blocks;
            blocks.write(block, 0, rank, check(low), &record);
            self.table.twins.push((top, low, blocks.address(block, 0)));
        }
        // Of keys with the same top bits, those between them and the low ones decide the order, and are not kept.
        self.table.twins.sort_unstable();
        self.table
    }

    /// Whether a key with this home and this check would be taken for an earlier feature.
    #[inline]
    fn has_twin(&self, blocks: &Blocks, home: usize, check: u32) -> bool {
        let equal = |block: usize| positions(&blocks.lines()[block * blocks.width / LINE].0, check);
        (home..=self.block).any(|block| equal(block) & self.table.checks != 0)
    }

    fn put(&mut self, blocks: &mut Blocks, check: u32, record: &[u32]) {
        if self.place == blocks.n_places {
            let head = self.block * blocks.width;
            bytemuck::cast_slice_mut::<u8, u32>(&mut blocks.memory)[head] |= MOVED_ON;
            (self.block, self.place) = (self.block + 1, 0);
        }
        blocks.write(self.block, self.place, blocks.n_features, check, record);
        self.place += 1;
    }
}

/// Memory of zeros for so many words, whole lines of them.
fn zeros(n_words: usize) -> MmapMut {
    let memory = MmapMut::map_anon((n_words.div_ceil(LINE) + 1) * size_of::<Line>()).expect("memory for the features of a model");
    // Small pages do as well.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    memory
}

/// The low bits of a key as they stand in a block, where 0 means none.
#[inline(always)]
fn check(low: u32) -> u32 {
    low.max(1)
}

/// One bit for each of the compared words that is `wanted`.
#[inline(always)]
fn positions(line: &[u32; LINE], wanted: u32) -> u32 {
    let words: [u32; COMPARED] = line[..COMPARED].try_into().expect("a line has more");
    u32x8::new(words).simd_eq(u32x8::splat(wanted)).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scattered(n: u64, from: u64) -> Vec<u64> {
        let mut keys: Vec<u64> = (from..from + n).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        keys.sort_unstable();
        keys
    }

    /// Two tables in one set of blocks; every key's record is made of its number.
    fn check_tables(tables: [&[u64]; 2], top_bits: u32, stride: usize) {
        let n = tables.iter().map(|keys| keys.len()).sum::<usize>();
        let records: Vec<Vec<u32>> = (0..n as u32).map(|i| (0..stride as u32).map(|s| i * 31 + s).collect()).collect();
        let mut blocks = Blocks::new(stride, n);
        let mut rank = 0;
        let tables: Vec<(Table, &[u64])> = tables
            .into_iter()
            .map(|keys| {
                let features = keys.iter().zip(&records[rank..]);
                rank += keys.len();
                let mut filler = blocks.start_table(keys.len(), 0.7, top_bits);
                features.for_each(|(&key, record)| filler.push(&mut blocks, key >> (64 - top_bits), key as u32, record));
                (filler.finish(&mut blocks), keys)
            })
            .collect();
        let mut rank = 0;
        for (table, keys) in &tables {
            let (mut near, mut far) = (Vec::new(), Vec::new());
            blocks.find_each(table, keys, |address| near.push(address));
            blocks.find_each_far(table, keys, &mut Vec::new(), |address| far.push(address));
            assert_eq!(near, far);
            for address in near {
                assert_eq!(blocks.rank(address), rank);
                assert_eq!(blocks.record(address, 0..stride), records[rank]);
                blocks.word_of_each([address].into_iter(), stride - 1, |word| assert_eq!(word, records[rank][stride - 1]));
                rank += 1;
            }
            assert!(blocks.record(NOTHING, 0..stride).iter().all(|&word| word == 0));
            let strangers: Vec<u64> = keys.iter().map(|key| key ^ 2).filter(|key| !keys.contains(key)).collect();
            blocks.find_each(table, &strangers, |address| assert_eq!(address, NOTHING));
        }
    }

    #[test]
    fn every_key_finds_its_record_and_no_other_key_does() {
        for stride in [1, 2, 3, 5, 9, 17] {
            for (n, top_bits) in [(0, 9), (1, 9), (7, 13), (300, 15), (3000, 32)] {
                check_tables([&scattered(n, 1), &scattered(n * 2, 100_000)], top_bits, stride);
            }
        }
    }

    #[test]
    fn crowded_homes_and_twins_are_told_apart() {
        // All at home in few blocks; every second pair differs in top bits that do not choose the block.
        let mut keys: Vec<u64> = (0..200_u64).map(|i| (i / 2) << 40 | (i % 2) << 39 | (i / 4) << 2).collect();
        keys.sort_unstable();
        check_tables([&keys, &[]], 32, 2);
        let last: Vec<u64> = (0..40).map(|i| u64::MAX - (40 - i) * 4).collect();
        check_tables([&last, &last], 32, 4);
    }

    #[test]
    fn without_keys_addresses_follow_from_ranks() {
        for stride in [1, 2, 3, 10] {
            let records: Vec<Vec<u32>> = (0..100).map(|i| vec![i; stride]).collect();
            let blocks = Blocks::without_keys(stride, records.iter().map(Vec::as_slice));
            let address = |rank: usize| ((rank + 1) * stride) as u32;
            assert!((0..100).all(|i| blocks.record(address(i), 0..stride) == records[i] && blocks.rank(address(i)) == i));
            assert!(blocks.record(NOTHING, 0..stride).iter().all(|&word| word == 0));
        }
    }

    #[test]
    fn a_key_whose_low_bits_are_zero_is_found_and_is_not_taken_for_one() {
        check_tables([&[1 << 40, 1 << 40 | 1, 5 << 40], &[]], 32, 2);
    }
}
