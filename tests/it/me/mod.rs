mod options;
mod preferences;
