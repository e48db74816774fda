use std::fmt;

use crate::cgi::Params;

/// What Apache's mod_authnz_fcgi asks an Authorizer for: FCGI_APACHE_ROLE.
///
/// Apache does not say it to an Authorizer that is an `authnz` provider asked by `AuthBasicProvider`: that one authenticates and authorizes in
/// one request. No other web server says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApacheRole {
    /// AUTHENTICATOR: find out who the user is, or check the password ([`Credentials`]).
    Authenticator,
    /// AUTHORIZER: decide whether the user, who is known (REMOTE_USER), may have this.
    Authorizer,
    /// ACCESS_CHECKER: decide before anybody has asked for the user.
    AccessChecker,
}

impl ApacheRole {
    /// What is asked for, if the web server says it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_fastcgi::Params;
    /// use tower_fastcgi::roles::ApacheRole;
    ///
    /// let params = Params::from_iter([("FCGI_APACHE_ROLE", "AUTHENTICATOR")]);
    /// assert_eq!(ApacheRole::from_params(&params), Some(ApacheRole::Authenticator));
    /// ```
    pub fn from_params(params: &Params) -> Option<Self> {
        match params.get("FCGI_APACHE_ROLE")? {
            b"AUTHENTICATOR" => Some(Self::Authenticator),
            b"AUTHORIZER" => Some(Self::Authorizer),
            b"ACCESS_CHECKER" => Some(Self::AccessChecker),
            _ => None,
        }
    }
}

/// The name and the password that an Authenticator is to check: REMOTE_USER and REMOTE_PASSWD.
///
/// Apache's mod_authnz_fcgi sends them where `AuthType Basic` holds, instead of the header `authorization`. They are the client's claim
/// until you have checked them. Compare what you keep of a password (a hash, as of the crate `argon2`), in constant time.
///
/// Bytes, since a browser may have sent anything; most send UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    user: &'a [u8],
    password: &'a [u8],
}

impl<'a> Credentials<'a> {
    /// The credentials, if both are there; the password may be empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_fastcgi::Params;
    /// use tower_fastcgi::roles::Credentials;
    ///
    /// let params = Params::from_iter([("REMOTE_USER", "alice"), ("REMOTE_PASSWD", "wonder")]);
    /// let credentials = Credentials::from_params(&params).expect("she sent them");
    /// assert_eq!(credentials.user(), b"alice");
    /// assert_eq!(credentials.password(), b"wonder");
    /// ```
    pub fn from_params(params: &'a Params) -> Option<Self> {
        let user = params.get("REMOTE_USER").filter(|user| !user.is_empty())?;
        Some(Self { user, password: params.get("REMOTE_PASSWD")? })
    }

    /// The name.
    pub fn user(&self) -> &'a [u8] {
        self.user
    }

    /// The password.
    pub fn password(&self) -> &'a [u8] {
        self.password
    }
}

/// Shows neither of them: people type a password into the field of the name.
impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_no_role() {
        let role = |word| ApacheRole::from_params(&Params::from_iter([("FCGI_APACHE_ROLE", word)]));
        assert_eq!(role("AUTHORIZER"), Some(ApacheRole::Authorizer));
        assert_eq!(role("ACCESS_CHECKER"), Some(ApacheRole::AccessChecker));
        assert_eq!(role("authorizer"), None);
        assert_eq!(role(""), None);
        assert_eq!(ApacheRole::from_params(&Params::default()), None);
    }

    #[test]
    fn a_user_without_a_password_has_nothing_to_be_checked() {
        let of = |pairs: &[(&str, &str)]| {
            let params: Params = pairs.iter().copied().collect();
            Credentials::from_params(&params).is_some()
        };
        assert!(of(&[("REMOTE_USER", "alice"), ("REMOTE_PASSWD", "")]));
        assert!(!of(&[("REMOTE_USER", "alice")]));
        assert!(!of(&[("REMOTE_USER", ""), ("REMOTE_PASSWD", "wonder")]));
        assert!(!of(&[("REMOTE_PASSWD", "wonder")]));
        assert!(!of(&[("REMOTE_USER", "alice"), ("HTTP_REMOTE_PASSWD", "wonder")]));
    }

    #[test]
    fn debug_shows_nothing_of_them() {
        let params = Params::from_iter([("REMOTE_USER", "alice"), ("REMOTE_PASSWD", "wonder")]);
        let text = format!("{:?}", Credentials::from_params(&params).unwrap());
        assert_eq!(text, "Credentials { .. }");
    }
}
