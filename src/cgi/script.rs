use std::borrow::Cow;

use super::percent;

/// Which script answers, as it was configured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Script<'a> {
    pub(super) filename: Option<&'a [u8]>,
    pub(super) root: Option<&'a [u8]>,
    pub(super) files: Option<&'a ScriptFiles>,
    pub(super) name: Option<&'a [u8]>,
}

/// How scripts are found in paths.
#[derive(Clone, Debug)]
pub(super) struct ScriptFiles {
    extension: Box<[u8]>,
    index: Box<[u8]>,
}

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split<'a> {
    pub(super) name: Cow<'a, [u8]>,
    pub(super) info: Option<Cow<'a, [u8]>>,
    pub(super) filename: Option<Cow<'a, [u8]>>,
    pub(super) root: Option<&'a [u8]>,
}

impl ScriptFiles {
    pub(super) fn new(extension: &[u8], index: &[u8]) -> Self {
        Self { extension: extension.into(), index: index.into() }
    }

    #[cfg(feature = "gateway")]
    pub(super) fn extension(&self) -> &[u8] {
        &self.extension
    }
}

impl<'a> Script<'a> {
    /// Splits a decoded path. `None` if it would lead out of the document root.
    pub(super) fn split(self, path: &'a [u8]) -> Option<Split<'a>> {
        if let Some(filename) = self.filename {
            return Some(self.fixed(filename, path));
        }
        match self.files {
            Some(files) => self.found(files, path),
            None => Some(self.mounted(path)),
        }
    }

    fn fixed(self, filename: &'a [u8], path: &'a [u8]) -> Split<'a> {
        let (folder, _) = split_last_segment(filename);
        let root = self.root.unwrap_or(folder);
        let below_root = filename.strip_prefix(root).filter(|rest| rest.starts_with(b"/"));
        let name = self.name.or(below_root).unwrap_or(&filename[folder.len()..]);
        let info = below(path, name).filter(|rest| !rest.is_empty());
        Split {
            name: name.into(),
            info: info.map(Into::into),
            filename: Some(filename.into()),
            root: Some(root),
        }
    }

    fn found(self, files: &'a ScriptFiles, path: &'a [u8]) -> Option<Split<'a>> {
        if path.split(|&byte| byte == b'/').any(|segment| segment == b"..") {
            return None;
        }
        let (name, info) = match split_behind(path, &files.extension) {
            Some((name, info)) => (name.into(), Some(info).filter(|info| !info.is_empty())),
            None if path.ends_with(b"/") => ([path, &files.index].concat().into(), None),
            None => ([b"/", &files.index[..]].concat().into(), None),
        };
        let name: Cow<'a, [u8]> = name;
        let filename = [self.root.unwrap_or_default(), &name].concat();
        Some(Split {
            name,
            info: info.map(Into::into),
            filename: Some(filename.into()),
            root: self.root,
        })
    }

    fn mounted(self, path: &'a [u8]) -> Split<'a> {
        let name = self.name.unwrap_or_default();
        let (name, info) = match below(path, name) {
            Some(info) => (name, info),
            None => (&b""[..], path),
        };
        Split { name: name.into(), info: Some(info.into()), filename: None, root: self.root }
    }
}

/// What comes behind `name`, if the path is that or goes on below it.
fn below<'a>(path: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    path.strip_prefix(name).filter(|rest| matches!(rest.first(), None | Some(b'/')))
}

fn split_last_segment(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.iter().rposition(|&byte| byte == b'/').unwrap_or(0))
}

/// Splits behind the first segment that ends with `extension`, and is more than that.
fn split_behind<'a>(path: &'a [u8], extension: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut end = 0;
    for segment in path.split(|&byte| byte == b'/') {
        end += segment.len();
        if segment.len() > extension.len() && segment.ends_with(extension) {
            return Some(path.split_at(end));
        }
        end += 1;
    }
    None
}

/// Decodes what is percent-encoded. `None` if that gives a NUL, with which no name of a file goes on.
pub(crate) fn decode_path(path: &str) -> Option<Vec<u8>> {
    Some(percent::decode(path.as_bytes())).filter(|decoded| !decoded.contains(&0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[track_caller]
    fn assert_split(script: Script<'_>, path: &str, expected: [&str; 4]) {
        let split = script.split(path.as_bytes()).unwrap();
        let optional = |bytes: Option<&[u8]>| bytes.map_or("-", text).to_owned();
        let split = [
            text(&split.name).to_owned(),
            optional(split.info.as_deref()),
            optional(split.filename.as_deref()),
            optional(split.root),
        ];
        assert_eq!(split, expected, "{path}");
    }

    #[test]
    fn without_configuration_the_path_is_path_info() {
        for path in ["/", "/a/b.php/c", "*", "//a"] {
            assert_split(Script::default(), path, ["", path, "-", "-"]);
        }
    }

    #[test]
    fn a_mount_is_script_name() {
        let mount = Script { name: Some(b"/app"), ..Script::default() };
        assert_split(mount, "/app", ["/app", "", "-", "-"]);
        assert_split(mount, "/app/", ["/app", "/", "-", "-"]);
        assert_split(mount, "/app/a", ["/app", "/a", "-", "-"]);
        assert_split(mount, "/apple", ["", "/apple", "-", "-"]);
        assert_split(mount, "/", ["", "/", "-", "-"]);
    }

    #[test]
    fn one_script_answers_all() {
        let script = Script { filename: Some(b"/srv/www/index.php"), ..Script::default() };
        let all = ["/index.php", "-", "/srv/www/index.php", "/srv/www"];
        assert_split(script, "/", all);
        assert_split(script, "/about/us", all);
        assert_split(script, "/index.php", all);
        let with_info = ["/index.php", "/a", "/srv/www/index.php", "/srv/www"];
        assert_split(script, "/index.php/a", with_info);
        let rooted = Script { root: Some(b"/srv"), ..script };
        assert_split(rooted, "/", ["/www/index.php", "-", "/srv/www/index.php", "/srv"]);
        let foreign_root = Script { root: Some(b"/var"), ..script };
        assert_split(foreign_root, "/", ["/index.php", "-", "/srv/www/index.php", "/var"]);
        let mounted = Script { name: Some(b"/blog"), ..script };
        assert_split(mounted, "/blog/a", ["/blog", "/a", "/srv/www/index.php", "/srv/www"]);
    }

    #[test]
    fn scripts_are_found_in_paths() {
        let files = ScriptFiles::new(b".php", b"index.php");
        let script = Script { root: Some(b"/srv"), files: Some(&files), ..Script::default() };
        for (path, name, info) in [
            ("/", "/index.php", "-"),
            ("/a/", "/a/index.php", "-"),
            ("/a.php", "/a.php", "-"),
            ("/a.php/", "/a.php", "/"),
            ("/a.php/b.php/c", "/a.php", "/b.php/c"),
            ("/a.phpx/b.php", "/a.phpx/b.php", "-"),
            ("/a.php.txt", "/index.php", "-"),
            ("/.php", "/index.php", "-"),
            ("/about", "/index.php", "-"),
            ("/a..b/c.php", "/a..b/c.php", "-"),
        ] {
            assert_split(script, path, [name, info, &format!("/srv{name}"), "/srv"]);
        }
        for path in ["/../a.php", "/a/..", "/a.php/../b", ".."] {
            assert_eq!(script.split(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn paths_are_decoded_once() {
        assert_eq!(decode_path("/a%20b%2Fc%C3%a9%ff").unwrap(), b"/a b/c\xc3\xa9\xff");
        assert_eq!(decode_path("/%2541").unwrap(), b"/%41");
        assert_eq!(decode_path("/a%00b"), None);
    }
}
