//! The command line of the built program, and the reference made of it.

mod binary;
mod catalogue;
mod doctor;
mod foreign;
mod init;
mod outputs;
mod place;
mod real;
mod reference;
mod shells;
