"""Cryptography: ssl of the standard library, and the package cryptography."""

from case import case, pypi
from journal import step

CRYPTOGRAPHY = pypi("cryptography")


def make_certificates():
    """Return a certificate authority, and a certificate for localhost with its key, as objects of cryptography."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def key():
        return rsa.generate_private_key(65537, 2048)

    def build(subject, public, issuer, signer, *extensions):
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
            now + datetime.timedelta(days=1)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signer, hashes.SHA256())

    def usage(**wanted):
        names = (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        )
        return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})

    root_key, leaf_key = key(), key()
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = build(
        root_name,
        root_key.public_key(),
        root_name,
        root_key,
        (x509.BasicConstraints(True, None), True),
        (identifier, False),
        (usage(key_cert_sign=True, crl_sign=True), True),
    )
    leaf = build(
        leaf_name,
        leaf_key.public_key(),
        root_name,
        root_key,
        (x509.BasicConstraints(False, None), True),
        (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (usage(digital_signature=True), True),
    )
    return root, leaf, leaf_key


@case(CRYPTOGRAPHY, fast=True)
def tls_handshake():
    """A TLS handshake and messages between two ends in memory, by ssl, with certificates of cryptography."""
    import ssl
    import tempfile

    from cryptography.hazmat.primitives import serialization

    root, leaf, key = make_certificates()
    pem = serialization.Encoding.PEM
    with tempfile.NamedTemporaryFile() as file:
        file.write(
            leaf.public_bytes(pem)
            + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        file.flush()
        server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server_context.load_cert_chain(file.name)
    client_context = ssl.create_default_context(cadata=root.public_bytes(pem).decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    done = []
    for _ in range(10):
        for end in (client, server):
            try:
                end.do_handshake()
                done.append(end)
            except ssl.SSLWantReadError:
                pass
    step("messages")
    client.write(b"question" * 1000)
    received = server.read(8000)
    server.write(received[::-1])
    return [
        client in done,
        server in done,
        client.version(),
        len(client.read(8000)),
        dict(client.getpeercert()["subject"][0]),
    ]


@case(CRYPTOGRAPHY)
def keys_and_ciphers():
    """Keys are made (RSA, elliptic curves), used to sign, agree and encrypt, and written."""
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa, x25519
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    step("RSA")
    key = rsa.generate_private_key(65537, 3072)
    signature = key.sign(b"text", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    key.public_key().verify(signature, b"text", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    secret = key.public_key().encrypt(b"text", padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    results = [
        key.key_size,
        key.decrypt(secret, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)).decode(),
    ]
    step("PEM")
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    results.append(serialization.load_pem_private_key(pem, b"password").key_size)
    step("elliptic curves")
    curve = ec.generate_private_key(ec.SECP521R1())
    curve.public_key().verify(curve.sign(b"text", ec.ECDSA(hashes.SHA512())), b"text", ec.ECDSA(hashes.SHA512()))
    ed25519.Ed25519PrivateKey.generate().sign(b"text")
    one, other = x25519.X25519PrivateKey.generate(), x25519.X25519PrivateKey.generate()
    results.append(one.exchange(other.public_key()) == other.exchange(one.public_key()))
    step("DSA")
    results.append(dsa.generate_private_key(1024).key_size)
    step("scrypt")
    results.append(Scrypt(salt=b"salt", length=16, n=2**12, r=8, p=1).derive(b"password").hex())
    fernet = Fernet(Fernet.generate_key())
    return [*results, fernet.decrypt(fernet.encrypt(b"text" * 10_000)).decode()[:4]]


@case(CRYPTOGRAPHY)
def certificates():
    """A chain of certificates is built, written, read and verified; one for another name is refused."""
    import ssl

    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

    root, leaf, _ = make_certificates()
    step("written and read")
    root = x509.load_pem_x509_certificate(root.public_bytes(serialization.Encoding.PEM))
    leaf.verify_directly_issued_by(root)
    step("verified")
    builder = PolicyBuilder().store(Store([root]))
    results = [
        len(builder.build_server_verifier(x509.DNSName("localhost")).verify(leaf, [])),
        leaf.subject.rfc4514_string(),
    ]
    try:
        builder.build_server_verifier(x509.DNSName("elsewhere")).verify(leaf, [])
    except VerificationError as error:
        results.append(type(error).__name__)
    return [*results, len(ssl.DER_cert_to_PEM_cert(leaf.public_bytes(serialization.Encoding.DER))) > 500]
