//! One's own account: the second factor, and showing again who one is.

pub mod code;
pub mod confirm;
pub mod factor;
mod qr;
