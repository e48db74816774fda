//! Completions, help and the manual.

use std::path::Path;

use crate::command::fcgi;

#[tokio::test]
async fn every_shell_has_completions() {
    for (shell, sign) in [
        ("bash", "complete -F _fcgi"),
        ("zsh", "#compdef fcgi"),
        ("fish", "complete -c fcgi"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let ran = fcgi(&["completions", shell]).await.assert_ok();
        assert!(ran.stdout().contains(sign) && ran.stdout().contains("script-filename"), "{shell}");
    }
    fcgi(&["completions", "csh"]).await.assert_fails(2, &["bash"]);
}

#[tokio::test]
async fn help_has_examples() {
    for command in ["request", "dump", "serve", "bench", "check", "completions", "man"] {
        let ran = fcgi(&[command, "--help"]).await.assert_ok();
        assert!(ran.stdout().contains(&format!("\n  fcgi {command}")), "{}", ran.stdout());
    }
    let ran = fcgi(&["--version"]).await.assert_ok();
    assert_eq!(ran.stdout(), concat!("fcgi ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[tokio::test]
async fn the_manual_is_that_of_the_folder_man() {
    let folder = tempfile::tempdir().unwrap();
    fcgi(&["man", "--output", folder.path().to_str().unwrap()]).await.assert_ok();
    let pages = |folder: &Path| {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut pages: Vec<_> = files
            .map(|path| {
                (path.file_name().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
            })
            .collect();
        pages.sort();
        pages
    };
    let (made, kept) =
        (pages(folder.path()), pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("man")));
    let differ =
        "man/ is not what the command says of itself: cargo run --features cli -- man --output man";
    assert!(made == kept, "{differ}");
    assert!(made.iter().any(|(name, _)| name == "fcgi-request.1"));
}

#[tokio::test]
async fn a_page_has_its_sections() {
    let page = fcgi(&["man", "request"]).await.assert_ok();
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "\"EXIT STATUS\"", "EXAMPLES"] {
        assert!(page.stdout().contains(&format!("\n.SH {section}\n")), "{section}");
    }
    assert!(page.stdout().contains("\\fB28\\fR\nTime is up"), "{}", page.stdout());
    let page = fcgi(&["man"]).await.assert_ok();
    assert!(page.stdout().contains("fcgi\\-request(1)"), "{}", page.stdout());
    fcgi(&["man", "nonsense"]).await.assert_fails(2, &["there is no command nonsense"]);
    fcgi(&["man", "--output", "/no/such/folder"])
        .await
        .assert_fails(23, &["cannot write to /no/such"]);
}
