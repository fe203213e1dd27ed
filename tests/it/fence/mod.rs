//! The fence: attacks by a fenced program on its user, one by one, each beside
//! the same attack without a fence, so that none of them passes for nothing.

mod attacks;
mod group;
mod stage;
mod stronger;
