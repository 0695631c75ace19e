mod documented;
mod ledger;
mod live;
mod merge;
mod mint;
mod rules;
mod templates;
mod upstream;
