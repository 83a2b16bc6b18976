//! Files: three calls, the middle one to an address of its own.
//!
//! A file that is shared to no channel is the app's alone; an image block shows
//! it to whoever sees the message.

use reqwest::header::CONTENT_TYPE;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::super::address::UploadUrl;
use super::{Client, Done, Error, read};

#[derive(Deserialize)]
struct Place {
    upload_url: String,
    file_id: String,
}

impl Client {
    /// Uploads a PNG that nobody sees until a message shows it; its id. `alt` is its alternative text.
    pub async fn upload_png(
        &self,
        token: &SecretString,
        name: &str,
        title: &str,
        alt: &str,
        png: Vec<u8>,
    ) -> Result<String, Error> {
        let length = png.len().to_string();
        // Slack takes 1000 characters.
        let alt: String = alt.chars().take(1000).collect();
        let arguments = [("filename", name), ("length", &length), ("alt_txt", &alt)];
        let place: Place = self.form(token, "files.getUploadURLExternal", &arguments).await?;
        let url = UploadUrl::parse(&place.upload_url, &self.settings.api)
            .ok_or_else(|| Error::Rejected("the upload address is not Slack's".into()))?;
        let sent = self.http.post(url.as_url().clone()).header(CONTENT_TYPE, "image/png").body(png).send().await;
        let (status, _, _) = read(sent.map_err(|error| Error::from_attempt(&error))?).await?;
        if !status.is_success() {
            return Err(Error::transient(format!("upload, HTTP {}", status.as_u16()), true));
        }
        let body = json!({"files": [{"id": place.file_id, "title": title}]});
        self.json::<Done>(token, "files.completeUploadExternal", &body).await?;
        Ok(place.file_id)
    }
}
