//! Distinctive texts where secrets go in, everything logged, everything gone wrong; then nothing of them comes out.

mod canary;
mod rotation;
