//! Anam through the installation's proxy.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{TestOptions, spawn_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anam_is_asked_through_the_proxy_and_local_keys_are_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else {
                    break;
                };
                head.push(byte);
            }
            told.lock().unwrap().push(String::from_utf8(head).unwrap());
            let _sent = stream
                .write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    });
    let app = spawn_with(TestOptions {
        env: vec![
            ("ANAM_BASE_URL".into(), "https://api.anam.example".into()),
            ("GATEWAY__PROXY__URL".into(), format!("http://{address}")),
        ],
        ..TestOptions::default()
    })
    .await;
    let answer = app.mint(&app.user("user-1"), &json!({})).await;
    assert!(answer.status().is_server_error(), "{}", answer.status());
    let asked = asked.lock().unwrap().clone();
    assert!(!asked.is_empty());
    for head in asked {
        assert!(head.starts_with("CONNECT api.anam.example:443 "), "{head}");
    }
    app.stop().await;
}
