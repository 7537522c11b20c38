//! Certificates that are replaced while the server runs.

use std::{fs, process::Command, time::Duration};

use lifesign_server::net::{Checked, Reloading};
use rustls::ClientConfig;

use crate::rig::{Authority, Files, NEXT, Running, ask, connect, next};

/// Where the files were refused: the setting, and whether it had been said before.
async fn refused(reloading: &Reloading) -> (&'static str, bool) {
    match reloading.check().await {
        Checked::Refused { error, again } => (error.setting, again),
        other @ (Checked::Unchanged | Checked::Reloaded) => panic!("{other:?}"),
    }
}

/// Waits until the server shows a certificate that this client trusts.
async fn becomes_trusted(client: &ClientConfig, server: &Running) {
    for _ in 0..600 {
        if ask(client, server.address).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the new certificate is not served");
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_open_ones_go_on() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::new(&before.leaf(&["localhost"]));
    let reloading = files.start();
    let server = Running::tls(&reloading).await;
    let mut open = connect(&before.client(None), server.address).await.unwrap();
    next(&mut open, NEXT).await.unwrap();
    assert!(ask(&after.client(None), server.address).await.is_err());
    assert!(matches!(reloading.check().await, Checked::Unchanged));
    files.replace(&after.leaf(&["localhost"]));
    assert!(matches!(reloading.check().await, Checked::Reloaded));
    assert!(matches!(reloading.check().await, Checked::Unchanged));
    ask(&after.client(None), server.address).await.unwrap();
    assert!(ask(&before.client(None), server.address).await.is_err());
    assert!(next(&mut open, NEXT).await.unwrap().starts_with("HTTP/1.1 200 "));
    drop(open);
    server.stop().await;
}

#[tokio::test]
async fn the_files_are_looked_at_every_so_often() {
    let (before, after) = (Authority::new(), Authority::new());
    let mut files = Files::new(&before.leaf(&["localhost"]));
    files.config.reload_seconds = 1;
    let server = Running::tls(&files.start()).await;
    ask(&before.client(None), server.address).await.unwrap();
    files.replace(&after.leaf(&["localhost"]));
    becomes_trusted(&after.client(None), &server).await;
    server.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn sighup_has_them_looked_at_at_once() {
    let (before, after) = (Authority::new(), Authority::new());
    let mut files = Files::new(&before.leaf(&["localhost"]));
    files.config.reload_seconds = 24 * 3600;
    let server = Running::tls(&files.start()).await;
    files.replace(&after.leaf(&["localhost"]));
    let sent = Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status().unwrap();
    assert!(sent.success());
    becomes_trusted(&after.client(None), &server).await;
    server.stop().await;
}

/// Kubernetes mounts a secret as links to files behind a link to a folder, and changes where that one leads.
#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_elsewhere_is_a_change() {
    let (before, after) = (Authority::new(), Authority::new());
    let mut files = Files::new(&before.leaf(&["localhost"]));
    let leaf = after.leaf(&["localhost"]);
    let (old, new, data) = (files.at("v1"), files.at("v2"), files.at("..data"));
    for (folder, make) in [(&old, None), (&new, Some(&leaf))] {
        fs::create_dir(folder).unwrap();
        if let Some(leaf) = make {
            files.replace(leaf);
        }
        fs::rename(&files.config.certificate, folder.join("tls.crt")).unwrap();
        fs::rename(&files.config.key, folder.join("tls.key")).unwrap();
    }
    std::os::unix::fs::symlink("v1", &data).unwrap();
    for name in ["tls.crt", "tls.key"] {
        std::os::unix::fs::symlink(format!("..data/{name}"), files.at(name)).unwrap();
    }
    files.config.certificate = files.at("tls.crt");
    let reloading = files.start();
    let server = Running::tls(&reloading).await;
    ask(&before.client(None), server.address).await.unwrap();
    let swapped = files.at("..swapped");
    std::os::unix::fs::symlink("v2", &swapped).unwrap();
    fs::rename(&swapped, &data).unwrap();
    assert!(matches!(reloading.check().await, Checked::Reloaded));
    ask(&after.client(None), server.address).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn broken_files_leave_the_old_certificate_in_use_and_are_said_once() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::with_clients_of(&before.leaf(&["localhost"]), &before);
    let reloading = files.start();
    let server = Running::tls(&reloading).await;
    let client = before.client(Some(&before.leaf(&["a"])));
    let good = after.leaf(&["localhost"]);
    let (certificate, authority) = (&files.config.certificate, files.at("ca.crt"));
    type Spoil<'a> = Box<dyn Fn() + 'a>;
    let faults: Vec<(&str, Spoil<'_>)> = vec![
        ("certificate", Box::new(|| fs::write(certificate, "rubbish").unwrap())),
        ("certificate", Box::new(|| fs::remove_file(certificate).unwrap())),
        ("certificate", Box::new(|| files.replace(&after.expired()))),
        ("key", Box::new(|| fs::write(certificate, &good.certificate).unwrap())),
        ("key", Box::new(|| files.replace_key("rubbish"))),
        #[cfg(unix)]
        ("key", Box::new(|| files.open_key(0o644))),
        (
            "client_ca",
            Box::new(|| {
                files.replace(&good);
                fs::write(&authority, "rubbish").unwrap();
            }),
        ),
    ];
    for (setting, spoil) in &faults {
        spoil();
        assert_eq!(refused(&reloading).await, (*setting, false));
        assert_eq!(refused(&reloading).await, (*setting, true), "it is said once");
        ask(&client, server.address).await.expect("the old one is in use");
    }
    // Mended, it is taken; so is the authority whose clients are let in from then on.
    fs::write(&authority, after.pem()).unwrap();
    assert!(matches!(reloading.check().await, Checked::Reloaded));
    assert!(ask(&after.client(Some(&before.leaf(&["a"]))), server.address).await.is_err());
    ask(&after.client(Some(&after.leaf(&["a"]))), server.address).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn files_that_come_back_are_no_change() {
    let authority = Authority::new();
    let leaf = authority.leaf(&["localhost"]);
    let files = Files::new(&leaf);
    let reloading = files.start();
    fs::remove_file(&files.config.key).unwrap();
    assert_eq!(refused(&reloading).await, ("key", false));
    files.replace(&leaf);
    assert!(matches!(reloading.check().await, Checked::Unchanged));
    fs::remove_file(&files.config.key).unwrap();
    assert_eq!(refused(&reloading).await, ("key", false), "said again, as it is another time");
}
