//! Tables from keys to records in which a look-up touches one place in memory.
//!
//! A block is one cache line, or a few where records are long: numbers by which keys are recognised, and behind them the records of the same features. Features
//! come in ascending order of their keys; the top bits of a key say which block is its home, and what finds no room there moves on to the next. A
//! look-up compares all numbers of a block at once and does the same for known and unknown keys, so that the processor has the loads of many keys
//! under way together. Were the records elsewhere, each hit would wait a second time: tables of large models do not fit the cache.

use bytemuck::{Pod, Zeroable};
use memmap2::MmapMut;
use rayon::prelude::*;
use wide::u32x8;

/// Words of a cache line.
const LINE: usize = 16;
/// Words of a block that are compared: its head, its checks, and perhaps what comes behind, which is left out of the answer.
const COMPARED: usize = 8;
/// Least share of places that a table takes.
const LEAST_FILL: f32 = 0.4;
/// A feature moves on by so many blocks at most; where there is no room even there, it is kept apart. Of keys that were hashed some move on by ten: only in a file from
/// outside may thousands have one home, and each would be compared with all before it.
const FARTHEST: usize = 128;
/// A run of features that have moved on is taken to be this many blocks long at most where the places behind it are foretold.
const LONGEST_RUN: usize = 16;
/// Marks the head of a block from which features have moved on.
const MOVED_ON: u32 = 1;
/// The address of the feature that there is not: it has a record, of zeros, so that unknown n-grams need no case of their own.
pub(super) const NOTHING: u32 = 0;

#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u32; LINE]);

/// The blocks of several tables. A block holds its head (whether features have moved on from it), the checks of its features, and their records; the first one is empty. The
/// address of a feature is the word at which its record begins.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Lines, zero where nothing is. On large pages where the system has them: one fault instead of hundreds while it is filled.
    memory: MmapMut,
    /// The first block of a table; before it there are the reserved words.
    first: usize,
    /// With what is before it.
    n_blocks: usize,
    shape: Shape,
}

/// How a block is laid out.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Words of a block.
    width: usize,
    /// Features of a block.
    n_places: usize,
    /// Words of a record.
    stride: usize,
}

/// One table: which blocks its keys are in.
#[derive(Debug, Clone)]
pub(super) struct Table {
    first: usize,
    n_homes: u64,
    /// How many top bits of a key choose its home.
    top_bits: u32,
    /// Top bits, low bits and address of features that could be taken for another one, or found no room near their home; nearly always none.
    apart: Vec<(u64, u32, u32)>,
}

impl Blocks {
    /// No table yet, and [`NOTHING`]; for `n_features` at most, with records of `stride` words. The first `n_reserved` words, more than a record, are left alone.
    pub(super) fn new(stride: usize, n_features: usize, n_reserved: usize) -> Self {
        let shape = Shape::of_records(stride);
        let first = n_reserved.div_ceil(shape.width).max(1);
        Self { memory: zeros((first + shape.n_blocks(n_features)) * shape.width), first, n_blocks: first, shape }
    }

    /// Words that [`Self::new`] takes, or [`Self::without_keys`]. Addresses reach 2³² of them.
    pub(super) fn n_words(stride: usize, n_features: usize, has_keys: bool) -> u128 {
        let shape = Shape::of_records(stride);
        let (n, words) = if has_keys { (shape.n_blocks(n_features), shape.width) } else { (1 + n_features, stride) };
        n as u128 * words as u128
    }

    /// Records without keys, each written by `write`. The address of a feature is one more than its number, times `stride`.
    pub(super) fn without_keys(stride: usize, n_features: usize, write: impl Fn(usize, &mut [u32])) -> Self {
        let mut memory = zeros((1 + n_features) * stride);
        let words: &mut [u32] = bytemuck::cast_slice_mut(&mut memory);
        words.chunks_exact_mut(stride).skip(1).take(n_features).enumerate().for_each(|(i, words)| write(i, words));
        let shape = Shape { width: stride, n_places: 0, stride };
        Self { memory, first: 1, n_blocks: 1 + n_features, shape }
    }

    /// Makes room for the homes of `n` features, of whose keys `top_bits` top bits (at most 32) are known; [`Self::fill`] comes next. Of all places the share
    /// `fill` will be taken: the fewer, the fewer features have to move on, and the more memory is read.
    pub(super) fn start_table(&mut self, n: usize, fill: f32, top_bits: u32) -> Table {
        debug_assert!(fill >= LEAST_FILL);
        let first = self.n_blocks;
        let n_homes = 1 + (n as f32 / (fill * self.shape.n_places as f32)) as usize;
        self.n_blocks += n_homes;
        Table { first, n_homes: n_homes as u64, top_bits, apart: Vec::new() }
    }

    /// Fills a table, all pieces at once. Piece i is what `push_piece(i, ..)` pushes: features in ascending order of their keys, the first of which has the
    /// top bits of `starts[i]`. It is right to guess by [`Foresight`] where a piece may start: where features of the piece before turn out to reach
    /// so far, all are pushed again, one after the other.
    pub(super) fn fill<T: Send>(
        &mut self,
        table: &mut Table,
        starts: &[u64],
        push_piece: impl Fn(usize, &mut Filler<'_>) -> T + Sync,
    ) -> Vec<T> {
        let (shape, first, table_words) = (self.shape, table.first, table.first * self.shape.width);
        let words: &mut [u32] = bytemuck::cast_slice_mut(&mut self.memory);
        let mut rest = &mut words[table_words..];
        let mut fillers = Vec::with_capacity(starts.len());
        for (i, &start) in starts.iter().enumerate() {
            let here = if i == 0 { first } else { table.home(start) };
            let end = starts.get(i + 1).map(|&next| table.home(next));
            let (words, others) = rest.split_at_mut(end.map_or(rest.len(), |end| (end - here) * shape.width));
            fillers.push(Filler::new(table, shape, words, here));
            rest = others;
        }
        let mut results = Vec::new();
        let pushed = fillers.par_iter_mut().enumerate().map(|(i, filler)| push_piece(i, filler));
        pushed.collect_into_vec(&mut results);
        if fillers.iter().any(|filler| filler.is_full) {
            drop(fillers);
            let words = &mut bytemuck::cast_slice_mut::<u8, u32>(&mut self.memory)[table_words..];
            words.fill(0);
            let mut filler = Filler::new(table, shape, words, first);
            results = (0..starts.len()).map(|i| push_piece(i, &mut filler)).collect();
            fillers = vec![filler];
        }
        let end = fillers.last().map_or(0, |last| last.block + 1);
        let apart: Vec<Apart> = fillers.into_iter().flat_map(|filler| filler.apart).collect();
        self.n_blocks = self.n_blocks.max(end);
        for Apart { top, low, record } in apart {
            let block = self.n_blocks;
            self.n_blocks += 1;
            let words: &mut [u32] = bytemuck::cast_slice_mut(&mut self.memory);
            shape.write(&mut words[block * shape.width..][..shape.width], 0, check(low), &record);
            table.apart.push((top, low, self.address(block, 0)));
        }
        // Of keys with the same top bits, those between them and the low ones decide the order, and are not kept.
        table.apart.sort_unstable();
        results
    }

    #[inline(always)]
    pub(super) fn words(&self) -> &[u32] {
        bytemuck::cast_slice(&self.memory)
    }

    /// The words that were reserved.
    pub(super) fn reserved(&mut self) -> &mut [u32] {
        let end = self.first * self.shape.width;
        &mut bytemuck::cast_slice_mut(&mut self.memory)[..end]
    }

    #[inline(always)]
    fn lines(&self) -> &[Line] {
        bytemuck::cast_slice(&self.memory)
    }

    #[inline(always)]
    fn address(&self, block: usize, place: usize) -> u32 {
        let Shape { width, n_places, stride } = self.shape;
        (block * width + 1 + n_places + place * stride) as u32
    }

    /// Words of the record of a feature.
    #[cfg(test)]
    fn record(&self, address: u32, range: std::ops::Range<usize>) -> &[u32] {
        &self.words()[address as usize + range.start..address as usize + range.end]
    }

    /// Calls `found` with the address of each key, [`NOTHING`] where the table has none, in order.
    #[inline(always)]
    pub(super) fn find_each(&self, table: &Table, keys: &[u64], mut found: impl FnMut(u32)) {
        if !table.apart.is_empty() {
            keys.iter().for_each(|&key| found(table.find_apart(key).unwrap_or_else(|| self.find_in(table, key))));
            return;
        }
        // Copies, which the compiler may keep in registers.
        let (lines, lines_of_block, stride) = (self.lines(), self.shape.width / LINE, self.shape.stride);
        let (n_homes, first, shift, checks) = (table.n_homes, table.first, table.top_bits, self.shape.checks());
        let before_records = (1 + self.shape.n_places).wrapping_sub(stride);
        for &key in keys {
            let number = (first + (((key >> (64 - shift)) * n_homes) >> shift) as usize) * lines_of_block;
            let line = &lines[number].0;
            let equal = positions(line, check(key as u32)) & checks;
            let is_elsewhere = equal == 0 && line[0] == MOVED_ON;
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
        let (lines, lines_of_block) = (self.lines(), self.shape.width / LINE);
        heads.clear();
        heads.extend(keys.iter().map(|&key| lines[table.home(table.top(key)) * lines_of_block].0[0]));
        self.find_each(table, keys, found);
    }

    /// The address of one key, be it in its home or in a later block.
    #[inline(never)]
    fn find_in(&self, table: &Table, key: u64) -> u32 {
        let home = table.home(table.top(key));
        for block in home..=home + FARTHEST {
            let line = &self.lines()[block * self.shape.width / LINE].0;
            let equal = positions(line, check(key as u32)) & self.shape.checks();
            if equal != 0 {
                return self.address(block, equal.trailing_zeros() as usize - 1);
            }
            if line[0] != MOVED_ON {
                break;
            }
        }
        NOTHING
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
    fn find_apart(&self, key: u64) -> Option<u32> {
        let at = self.apart.binary_search_by_key(&(self.top(key), key as u32), |&(top, low, _)| (top, low)).ok()?;
        Some(self.apart[at].2)
    }
}

/// Where features will find their places, foretold without what stands before them.
///
/// However long the features before it may have moved on, the first feature whose home none of them can reach begins an empty block; from there on, places
/// follow from the features alone, so that a table can be filled in pieces.
#[derive(Debug)]
pub(super) struct Foresight {
    n_places: usize,
    block: usize,
    place: usize,
}

impl Foresight {
    /// Starts at the feature with these top bits.
    pub(super) fn from(top: u64, table: &Table, blocks: &Blocks) -> Self {
        let n_places = blocks.shape.n_places;
        Self { n_places, block: table.home(top) + LONGEST_RUN, place: n_places }
    }

    /// Goes on by one feature; whether it begins an empty block.
    pub(super) fn is_first(&mut self, top: u64, table: &Table) -> bool {
        if table.home(top) > self.block {
            return true;
        }
        if self.place == self.n_places {
            (self.block, self.place) = (self.block + 1, 0);
        }
        self.place += 1;
        false
    }
}

/// A feature that has no place near its home.
#[derive(Debug)]
struct Apart {
    top: u64,
    low: u32,
    record: Vec<u32>,
}

/// A piece of a table being filled.
#[derive(Debug)]
pub(super) struct Filler<'a> {
    table: &'a Table,
    shape: Shape,
    /// Blocks from `first` on.
    words: &'a mut [u32],
    first: usize,
    /// Where the next feature goes, if its home is not behind.
    block: usize,
    place: usize,
    apart: Vec<Apart>,
    /// There was no room for all.
    is_full: bool,
}

impl<'a> Filler<'a> {
    fn new(table: &'a Table, shape: Shape, words: &'a mut [u32], first: usize) -> Self {
        Self { table, shape, words, first, block: first, place: 0, apart: Vec::new(), is_full: false }
    }

    /// Adds the next feature in ascending order of keys: the top bits of its key, the low 32, and its record.
    #[inline(always)]
    pub(super) fn push(&mut self, top: u64, low: u32, record: &[u32]) {
        // A file from outside may have keys out of order.
        let home = self.table.home(top).max(self.first);
        // Whether a feature begins a block is a coin toss that no processor guesses well: a choice of values, no branch.
        self.place = std::hint::select_unpredictable(home > self.block, 0, self.place);
        self.block = self.block.max(home);
        if self.is_full || self.block_at(self.block).is_none() {
            self.is_full = true;
            return;
        }
        let is_far = self.block + usize::from(self.place == self.shape.n_places) - home > FARTHEST;
        if is_far || self.has_twin(home, check(low)) {
            self.apart.push(Apart { top, low, record: record.to_vec() });
        } else {
            self.put(check(low), record);
        }
    }

    #[inline(always)]
    fn block_at(&mut self, block: usize) -> Option<&mut [u32]> {
        let start = (block - self.first) * self.shape.width;
        self.words.get_mut(start..start + self.shape.width)
    }

    /// Whether a key with this home and this check would be taken for an earlier feature.
    #[inline(always)]
    fn has_twin(&mut self, home: usize, check: u32) -> bool {
        let checks = self.shape.checks();
        (home..=self.block).any(|block| {
            let line = self.block_at(block).and_then(|words| words.first_chunk());
            line.is_some_and(|line| positions(line, check) & checks != 0)
        })
    }

    #[inline(always)]
    fn put(&mut self, check: u32, record: &[u32]) {
        if self.place == self.shape.n_places {
            let full = self.block;
            (self.block, self.place) = (full + 1, 0);
            self.block_at(full).expect("features are in it")[0] = MOVED_ON;
        }
        let (shape, block, place) = (self.shape, self.block, self.place);
        match self.block_at(block) {
            Some(words) => shape.write(words, place, check, record),
            None => self.is_full = true,
        }
        self.place = place + 1;
    }
}

impl Shape {
    /// The smallest blocks with room for three records or more.
    fn of_records(stride: usize) -> Self {
        let n_fitting = |words: usize| (words - 1) / (1 + stride);
        let width = (1 + 3 * (1 + stride)).next_multiple_of(LINE);
        Self { width, n_places: n_fitting(width).min(COMPARED - 1), stride }
    }

    /// Room for homes and for a block of its own for every feature; what stays empty is never touched.
    fn n_blocks(self, n_features: usize) -> usize {
        (n_features as f32 / (LEAST_FILL * self.n_places as f32)) as usize + n_features + 16
    }

    /// Which of the compared words are checks, one bit each.
    #[inline(always)]
    fn checks(self) -> u32 {
        ((1 << self.n_places) - 1) << 1
    }

    #[inline(always)]
    fn write(self, block: &mut [u32], place: usize, check: u32, record: &[u32]) {
        block[1 + place] = check;
        let to = &mut block[1 + self.n_places + place * self.stride..][..self.stride];
        match (to, record) {
            // Calling for a copy costs more than copying the records of one binary head.
            ([idf, weight], [new_idf, new_weight]) => (*idf, *weight) = (*new_idf, *new_weight),
            (to, record) => to.copy_from_slice(record),
        }
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
pub(super) fn check(low: u32) -> u32 {
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

    /// Where pieces of a table start: `n` of them about equally long, each at the first feature behind its due place that surely begins an empty block.
    fn starts(blocks: &Blocks, table: &Table, keys: &[u64], n: usize) -> Vec<usize> {
        let top = |i: usize| keys[i] >> (64 - table.top_bits);
        let mut starts: Vec<usize> = (0..keys.len().min(1)).collect();
        for due in (1..n).map(|i| i * keys.len() / n).filter(|&due| due > 0) {
            let mut foresight = Foresight::from(top(due), table, blocks);
            starts.extend((due..keys.len()).find(|&i| foresight.is_first(top(i), table)));
        }
        starts.dedup();
        starts
    }

    /// Two tables in one set of blocks, however they are filled; every key's record is made of its number.
    fn check_tables(tables: [&[u64]; 2], top_bits: u32, stride: usize) {
        let whole = check_tables_of(tables, top_bits, stride, 1);
        for n_pieces in [2, 7] {
            let pieces = check_tables_of(tables, top_bits, stride, n_pieces);
            assert!(whole.words() == pieces.words(), "{n_pieces} pieces");
        }
    }

    fn check_tables_of(tables: [&[u64]; 2], top_bits: u32, stride: usize, n_pieces: usize) -> Blocks {
        let n = tables.iter().map(|keys| keys.len()).sum::<usize>();
        let records: Vec<Vec<u32>> = (0..n as u32).map(|i| (0..stride as u32).map(|s| i * 31 + s).collect()).collect();
        let mut blocks = Blocks::new(stride, n, stride);
        let mut first = 0;
        let tables: Vec<(Table, &[u64])> = tables
            .into_iter()
            .map(|keys| {
                let mut table = blocks.start_table(keys.len(), 0.7, top_bits);
                let starts = starts(&blocks, &table, keys, n_pieces);
                let tops: Vec<u64> = starts.iter().map(|&i| keys[i] >> (64 - top_bits)).collect();
                let ends: Vec<usize> = starts.iter().copied().skip(1).chain([keys.len()]).collect();
                let records = &records[first..];
                blocks.fill(&mut table, &tops, |piece, filler| {
                    let features = keys.iter().zip(records).take(ends[piece]).skip(starts[piece]);
                    features.for_each(|(&key, record)| filler.push(key >> (64 - top_bits), key as u32, record));
                });
                first += keys.len();
                (table, keys)
            })
            .collect();
        let mut first = 0;
        for (table, keys) in &tables {
            let (mut near, mut far) = (Vec::new(), Vec::new());
            blocks.find_each(table, keys, |address| near.push(address));
            blocks.find_each_far(table, keys, &mut Vec::new(), |address| far.push(address));
            assert_eq!(near, far);
            for (i, address) in (0..).zip(near) {
                let record = &records[first + i as usize];
                assert_eq!(blocks.record(address, 0..stride), record);
            }
            first += keys.len();
            assert!(blocks.record(NOTHING, 0..stride).iter().all(|&word| word == 0));
            let strangers: Vec<u64> = keys.iter().map(|key| key ^ 2).filter(|key| !keys.contains(key)).collect();
            blocks.find_each(table, &strangers, |address| assert_eq!(address, NOTHING));
        }
        blocks
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
    fn features_that_crowd_one_home_are_kept_apart() {
        let keys: Vec<u64> = (0..20_000).map(|i| 5 << 40 | i << 2).collect();
        let mut blocks = Blocks::new(2, keys.len(), 2);
        let mut table = blocks.start_table(keys.len(), 0.7, 32);
        blocks.fill(&mut table, &[5 << 8], |_, filler| {
            (0..).zip(&keys).for_each(|(i, &key)| filler.push(key >> 32, key as u32, &[i, 7]));
        });
        assert_eq!(table.apart.len(), keys.len() - (1 + FARTHEST) * blocks.shape.n_places);
        let mut n = 0;
        blocks.find_each(&table, &keys, |address| {
            assert_eq!(blocks.record(address, 0..2), [n, 7]);
            n += 1;
        });
        blocks.find_each(&table, &[5 << 40 | 2, 5 << 40 | 80_000], |address| assert_eq!(address, NOTHING));
    }

    #[test]
    fn pieces_that_reach_too_far_are_filled_anew() {
        // A thousand features of one home, which no foresight expects, and the next piece right behind them.
        let mut keys: Vec<u64> = (0..1000).map(|i| 5 << 40 | i << 2).collect();
        keys.extend((0..2000_u64).map(|i| (6 << 40) + (i << 45) + 4 * (1000 + i)));
        keys.sort_unstable();
        check_tables([&keys, &scattered(500, 7)], 32, 2);
    }

    #[test]
    fn keys_out_of_order_do_no_harm() {
        let mut keys = scattered(3000, 1);
        keys[500..2500].reverse();
        let mut blocks = Blocks::new(2, keys.len(), 2);
        let mut table = blocks.start_table(keys.len(), 0.7, 32);
        let starts = [keys[0] >> 32, keys[2600] >> 32];
        blocks.fill(&mut table, &starts, |piece, filler| {
            let features = if piece == 0 { 0..2600 } else { 2600..3000 };
            features.for_each(|i| filler.push(keys[i] >> 32, keys[i] as u32, &[i as u32, 7]));
        });
        blocks.find_each(&table, &keys, |address| assert!(address == NOTHING || blocks.record(address, 1..2) == [7]));
    }

    #[test]
    fn without_keys_addresses_follow_from_numbers() {
        for stride in [1, 2, 3, 10] {
            let records: Vec<Vec<u32>> = (0..100).map(|i| vec![i; stride]).collect();
            let blocks = Blocks::without_keys(stride, records.len(), |i, words| words.copy_from_slice(&records[i]));
            let address = |rank: usize| ((rank + 1) * stride) as u32;
            assert!((0..100).all(|i| blocks.record(address(i), 0..stride) == records[i]));
            assert!(blocks.record(NOTHING, 0..stride).iter().all(|&word| word == 0));
        }
    }

    #[test]
    fn a_key_whose_low_bits_are_zero_is_found_and_is_not_taken_for_one() {
        check_tables([&[1 << 40, 1 << 40 | 1, 5 << 40], &[]], 32, 2);
    }
}
