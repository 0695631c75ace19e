//! Bundles: a whole tenant as one file, applied whole or not at all.

mod amending;
mod applying;
mod bounds;
mod exporting;
mod faults;
mod judging;
mod life;
mod ordered;
mod releasing;
mod sealing;
mod unreleased;
mod waiting;
