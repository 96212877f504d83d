//! The one question that webpki does not answer: whether a certificate is its own issuer (RFC 5280, section 4.1).

/// Whether issuer and subject are the same name. False as well for what is no certificate.
pub(super) fn is_self_signed(der: &[u8]) -> bool {
    names(der).is_some_and(|(issuer, subject)| issuer == subject)
}

/// Issuer and subject, in DER.
fn names(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?; // TBSCertificate
    if let Some((VERSION, _, after)) = element(rest) {
        rest = after;
    }
    let (_, _, rest) = element(rest)?; // serialNumber
    let (_, _, rest) = element(rest)?; // signature
    let (_, issuer, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?; // validity
    let (_, subject, _) = element(rest)?;
    Some((issuer, subject))
}

/// Tag, content, and what comes after the first element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // So many bytes hold the length; no certificate needs more than four.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::{element, is_self_signed};

    #[test]
    fn reads_lengths_in_both_forms_and_none_that_are_not_there() {
        assert_eq!(element(&[0x30, 2, 7, 8, 9]), Some((0x30, &[7, 8][..], &[9][..])));
        assert_eq!(element(&[0x30, 0x82, 0, 1, 7, 9]), Some((0x30, &[7][..], &[9][..])));
        for torn in [&[0x30][..], &[0x30, 2, 7], &[0x30, 0x82, 0], &[0x30, 0x80], &[0x30, 0x84, 255, 255, 255, 255, 0]]
        {
            assert_eq!(element(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_not_self_signed() {
        assert!(!is_self_signed(b""));
        assert!(!is_self_signed(&[0x30, 4, 0x30, 2, 0x02, 0]));
    }
}
