use super::*;
use interline_domain::catalogue::Auth;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn call<'a>(url: &'a str, credential: Option<&'a Credential>) -> Call<'a> {
    Call {
        method: Method::POST,
        url,
        headers: &[],
        body: Bytes::from_static(b"{}"),
        credential,
        is_stream: false,
    }
}

/// Answers one connection with these bytes and hands back what it was sent.
async fn once(answer: &'static [u8]) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/x", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut seen = vec![0; 4096];
        let read = socket.read(&mut seen).await.unwrap();
        socket.write_all(answer).await.unwrap();
        String::from_utf8_lossy(&seen[..read]).into_owned()
    });
    (url, task)
}

#[tokio::test]
async fn redirects_are_answers() {
    let (url, task) = once(
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let secret = Some(SecretString::from("sk-1"));
    let credential = Credential::bind(Auth::Bearer, secret, &url).unwrap();
    let answer = Client::new(&Limits::default())
        .send(call(&url, Some(&credential)))
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    assert!(task.await.unwrap().contains("authorization: Bearer sk-1"));
}

#[tokio::test]
async fn what_went_wrong_is_told_apart() {
    let client = Client::new(&Limits::default());
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{closed}/");
    let refused = client.send(call(&url, None)).await.unwrap_err();
    assert!(matches!(refused, SendError::Connect(_)), "{refused:?}");

    let (url, _task) = once(b"").await;
    let lost = client.send(call(&url, None)).await.unwrap_err();
    assert!(matches!(lost, SendError::Lost(_)), "{lost:?}");

    let (url, _task) = once(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    let malformed = client.send(call(&url, None)).await.unwrap_err();
    assert!(
        matches!(malformed, SendError::Malformed(_)),
        "{malformed:?}"
    );

    let (url, _task) = once(b"not tls at all").await;
    let tls = client
        .send(call(&url.replace("http:", "https:"), None))
        .await
        .unwrap_err();
    assert!(matches!(tls, SendError::Tls(_)), "{tls:?}");

    let foreign = Credential::bind(Auth::Bearer, Some("k".into()), "http://other.example").unwrap();
    let refused = client.send(call(&url, Some(&foreign))).await.unwrap_err();
    assert!(matches!(refused, SendError::ForeignHost), "{refused:?}");
}
