//! The n-grams of features as people read them, all letters in one buffer: a million small strings take four times the memory, and time to make and free.

use std::ops::Index;

/// One name per feature, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NgramNames {
    text: String,
    /// Where each name ends in `text`.
    ends: Vec<usize>,
}

impl NgramNames {
    /// Names that were written in another order: `(number, length in bytes)` of each, and their letters one after the other, piece by piece. Numbers that do
    /// not occur get an empty name.
    pub(crate) fn from_pieces(n_names: usize, pieces: &[(Vec<(u32, u32)>, String)]) -> Self {
        let mut ends = vec![0; n_names];
        for &(number, length) in pieces.iter().flat_map(|piece| &piece.0) {
            ends[number as usize] = length as usize;
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total;
        }
        let mut bytes = vec![0; total];
        for (names, letters) in pieces {
            let mut rest = letters.as_bytes();
            for &(number, length) in names {
                let (name, others) = rest.split_at(length as usize);
                let end = ends[number as usize];
                bytes[end - name.len()..end].copy_from_slice(name);
                rest = others;
            }
        }
        Self { text: String::from_utf8(bytes).expect("whole names"), ends }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|i| &self[i])
    }

    /// The letters of all names, and where each name ends in them.
    pub(crate) fn parts(&self) -> (&str, &[usize]) {
        (&self.text, &self.ends)
    }
}

impl Index<usize> for NgramNames {
    type Output = str;

    fn index(&self, i: usize) -> &str {
        let start = i.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[i]]
    }
}

impl<'n> FromIterator<&'n str> for NgramNames {
    fn from_iter<I: IntoIterator<Item = &'n str>>(names: I) -> Self {
        let mut all = Self::default();
        for name in names {
            all.text.push_str(name);
            all.ends.push(all.text.len());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_any_order() {
        let pieces = [(vec![(3, 6), (0, 4)], "trucesalas".to_owned()), (vec![(1, 2)], "é".to_owned())];
        let names = NgramNames::from_pieces(5, &pieces);
        assert_eq!(names.iter().collect::<Vec<_>>(), ["alas", "é", "", "truces", ""]);
        assert_eq!(names, ["alas", "é", "", "truces", ""].into_iter().collect());
        assert_eq!((names.len(), &names[3]), (5, "truces"));
    }
}
