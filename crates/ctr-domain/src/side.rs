//! The two topics of a job, and one of something for each.

use std::ops::{Index, IndexMut};

/// Which of the two topics a partition belongs to. The topic does not determine the type of an event, only where it is
/// stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The impressions topic.
    Impressions = 0,
    /// The clicks topic.
    Clicks = 1,
}

impl Side {
    /// Both sides, in the order of every array by side.
    pub const BOTH: [Self; 2] = [Self::Impressions, Self::Clicks];

    /// The other one.
    #[must_use]
    pub const fn twin(self) -> Self {
        match self {
            Self::Impressions => Self::Clicks,
            Self::Clicks => Self::Impressions,
        }
    }
}

impl<T> Index<Side> for BySide<T> {
    type Output = T;
    fn index(&self, side: Side) -> &T {
        &self.0[side as usize]
    }
}

impl<T> IndexMut<Side> for BySide<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        &mut self.0[side as usize]
    }
}

/// One of something for each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BySide<T>(
    /// In the order of [`Side::BOTH`].
    pub [T; 2],
);
