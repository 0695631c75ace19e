//! The user that the server runs as: ourselves, or, since Postgres refuses root, `postgres` or
//! `nobody` when we are root.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use super::error::PostgresError;

/// Who owns the data and runs the server.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) uid: u32,
    /// Set when we are root and must become somebody else.
    other: Option<Other>,
}

#[derive(Debug, Clone)]
struct Other {
    name: String,
    gid: u32,
}

impl Account {
    /// Ourselves unless we are root.
    pub(super) fn for_server() -> Result<Self, PostgresError> {
        let uid = own_uid()?;
        if uid != 0 {
            return Ok(Self { uid, other: None });
        }
        let path = "/etc/passwd";
        let passwd = fs::read_to_string(path).map_err(PostgresError::io("read", path))?;
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| from_passwd(&passwd, name))
            .ok_or(PostgresError::NoServerUser)
    }

    /// Whether we are root.
    pub(super) fn is_other(&self) -> bool {
        self.other.is_some()
    }

    /// Makes `command` run as this user; the standard library drops root's other groups as well.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Some(other) = &self.other {
            command.uid(self.uid).gid(other.gid);
        }
    }

    /// Gives one file or folder to this user.
    pub(super) fn give(&self, path: &Path) -> Result<(), PostgresError> {
        match &self.other {
            Some(other) => chown(path, Some(self.uid), Some(other.gid))
                .map_err(PostgresError::io("give away", path)),
            None => Ok(()),
        }
    }

    /// Fails when this user cannot enter `folder` or one above it, such as `/root`.
    pub(super) fn check_reach(&self, folder: &Path) -> Result<(), PostgresError> {
        let Some(other) = &self.other else {
            return Ok(());
        };
        match self.first_closed(folder, other.gid) {
            Some(closed) => Err(PostgresError::Unreachable {
                path: closed,
                user: other.name.clone(),
            }),
            None => Ok(()),
        }
    }

    fn first_closed(&self, folder: &Path, gid: u32) -> Option<PathBuf> {
        let may_enter = |path: &Path| {
            fs::metadata(path).is_ok_and(|meta| {
                let bit = if meta.uid() == self.uid {
                    0o100
                } else if meta.gid() == gid {
                    0o010
                } else {
                    0o001
                };
                meta.mode() & bit != 0
            })
        };
        let mut from_root: Vec<_> = folder.ancestors().collect();
        from_root.reverse();
        from_root
            .into_iter()
            .find(|path| !may_enter(path))
            .map(Path::to_path_buf)
    }
}

/// `id -u`: the standard library has no `geteuid`, and this crate has no unsafe code.
fn own_uid() -> Result<u32, PostgresError> {
    let output = Command::new("id")
        .arg("-u")
        .output()
        .map_err(PostgresError::io("run", "id"))?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .map_err(std::io::Error::other)
        .map_err(PostgresError::io("read the answer of", "id -u"))
}

fn from_passwd(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account {
            uid,
            other: Some(Other {
                name: name.to_owned(),
                gid,
            }),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::{env, fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_folder_that_the_server_cannot_enter_is_named() {
        let closed = env::temp_dir().join(format!("pgw-closed-{}", std::process::id()));
        fs::create_dir_all(closed.join("inner")).unwrap();
        let owner = fs::metadata(&closed).unwrap();
        let stranger = Account {
            uid: owner.uid() + 1,
            other: Some(Other {
                name: "stranger".to_owned(),
                gid: owner.gid() + 1,
            }),
        };
        let reach = |mode| {
            fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
            stranger.check_reach(&closed.join("inner"))
        };
        let Err(PostgresError::Unreachable { path, user }) = reach(0o700) else {
            panic!("a folder of mode 0700 is closed");
        };
        assert_eq!((path, user), (closed.clone(), "stranger".to_owned()));
        reach(0o711).unwrap();
        fs::remove_dir_all(&closed).unwrap();
    }

    #[test]
    fn a_passwd_line_gives_both_ids() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:PG,,,:/var/lib/postgresql:/bin/bash\n";
        let account = from_passwd(passwd, "postgres").unwrap();
        assert_eq!((account.uid, account.other.unwrap().gid), (101, 104));
        assert!(from_passwd(passwd, "nobody").is_none());
    }
}
