//! Numbers that README and docs promise are the program's: each sentence is found in its page, and its numbers stand in the sources,
//! in the default settings or in the schema of bundles as well. That the program keeps them is for the tests of each part to show.

#[cfg(test)]
mod administering;
#[cfg(test)]
mod bundles;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod links;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod names;
#[cfg(test)]
mod operating;
#[cfg(test)]
mod sentences;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod watching;
