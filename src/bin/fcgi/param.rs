use std::str::FromStr;

/// A param as it is given: NAME=VALUE.
#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Param {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
        if name.is_empty() {
            return Err("the name is missing; write NAME=VALUE");
        }
        if name == "HTTP_PROXY" {
            return Err(
                "HTTP clients within the application would take it for their configuration, so it is never sent",
            );
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}
