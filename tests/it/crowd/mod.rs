//! Many processes of the built program on one repository: beside each other,
//! beside git's housekeeping, on a disk that is full.

mod full;
mod races;
mod storm;
mod yard;
#[cfg(feature = "failpoints")]
mod zombie;
