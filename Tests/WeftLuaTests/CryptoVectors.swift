import Testing

@testable import WeftLua

/// Keys and signatures of another implementation (Python's cryptography) over `signed text`.
enum CryptoVectors {
  static let lua = """
    local keys = {
      ["rsa"] = {kty = "RSA", n = "htWog_Ehg4eTGozPcNX-EEscs0b1Rbeo918FWuIoWSYmVJthEAU-Npgi9ad_klizLuyVSi7UsnnAO\
    zUw_uqclUNgpARIUDFqhyWM5gWXbHZFwY_XEPUJIzceix_zuDR7jcuJ9d04XHRf5UF8o2GoSrs4xPbgHZyDw0nxBqM1Pnth9BKRESY1nsFo2\
    qjqoDo2yiXYfIE8lp-O5l4w1sPzJrs8GT5-4h8gELO1V8suDOUNg2Yv4-fld75oQ9EPfjNcDE34sXJhljqP7KkZXy9m9_pG3gP3mylG9NUK9\
    SGi1x6DoRamEaXiQ8fGgy2aAFKmsGV3gQDLwjAPlZ48gzwp9Q", e = "AQAB"},
      ["P-256"] = {kty = "EC", crv = "P-256", x = "3vHaBj3Z4jEkKUt2jxEsojlg06TJfbbTkU1S6bZBDHA", y = "YyRsWW97a_\
    XITGMQTS-mmWMWlv3F6sFJqVYUcnp5EOE"},
      ["P-384"] = {kty = "EC", crv = "P-384", x = "kKq8JOGagjjmbZl7gk0oZUU9j9RaUdM0bGwmYufuifJ9EsSWGJihsLEk-fQte\
    7LA", y = "f-YhUwH0wqDgD6PoSbyAvVN-mCDiXOFjmAilfLn5o7ITaYB7ebGZp_7G01iG_srR"},
      ["ed"] = {kty = "OKP", crv = "Ed25519", x = "Lx-PkJ35VKio2jNHvdkJ7RxIgJAu9NSd_3FvKnziftM"},
    }
    local signatures = {
      RS256 = "QtwkXy8QDmEbwf4NTAwxTBGCVY6lyBuSghNshzMEgtRTft26hJNBaB44YyNWfF0OcsavuEUC3ofgFId0gQxLNYhPHESq2FjDC\
    eYA5v-HElb8cjOcTWF8OnIpCVnat5QOgnmd4KBE0BAD0dmGtkWFTbotNhJ1CpwV8dB2soSSN7L-_3bjZxzRhR-qIxbMPRDxXyl51Ikoj-54h\
    I5fPO7C0SA6oWJ8nOZQXVWgDPqgMMzjgQibFoDthnIMlGphiQjOHmpwWZ49LmBzyq3I5TRaWo8Iz-GMEMEBg7PGUThelHadjeAJslnkX2a_r\
    oZ8k1IA2-QJn5CLsVKIs051068vtw",
      PS256 = "NHABQ12ISkIDAuL2__-sczIVpqXl3palsVS9q3_d3weIVm_nGvkRd_EzgCb-URu8NnGkm21wKn6M02ED1RKAe3QXgIEoiOraK\
    v2gqD2Y38IzLAGn1c0UEBJXe6yCWheBUA5sN3PUOZKf7AwPdhYEpQwBw9SjMitIZfPo5EiJnkBG5acLQi9lSn0HIL3XAoTRKys4BPyeY_uwv\
    FS_dRTF4ZlCBaBXzwK725CqraCHFHnwkAp2Fq729GVJ0KKjQeM_egltfw0PZP1XcD6YpCnEwD17t2OL_oIgluAfCktnASo7Gm572NVc-FnZR\
    K_rjJFYduUE16FqLy-8OPkORQ3Fhw",
      RS384 = "fChC5eV2X3pSKO57dcSkyRC8K-HgeO50o5gx9b1ZRha8MIZR42QXAviGU6wwPrZhN9UVf842k5VZ62G6c1Btc83AWq9YjDK3o\
    GoCHhPJyWwMDRbugsTw8j4XJ7uwjqXPrEKl9CsKrqTIahcf7PNonbptiNvKkAYSLqUtlkkiBaM8sEld2xCSZNgXnqQYnHAp2cAQnrfRbzrdX\
    yv1ce2npgLJcHdXghlI05Peak4UWie18m2i51kYtbevIVBNTE9-TfUkTaYtfknubMHTPfuS2yo658lHwOAVmmJbA3-ELzhbokz6Zrl--zoAy\
    1s4pUKNepnbbFriBUuBhdiw_vdDaA",
      PS384 = "VKnG5IT0WdtQMIeISHJNaiapKpgKnW19JfOSEoS6nLGeSI2JKH16cvQ9yvGqUHGYaB1soRCPHISJylXKLtZk_r7cIIK9TeFei\
    i8SDM9u13_2O_NNBBSxr2ZPUxVOxsZlBg-mv5GA7JdXBNIUVtlDQbMJtrKHr3GR-FZvH1AnMf1J5_o2rr6_VcVgVIyEktt2LSc_3WtFW-84d\
    ePMLOhn_Scxnbc0k4RE17qLDsCNeU9JLv3uTv66taqYfO8LKO3gE1jkVo1R9hl1_B1amwOx7VJBW-xUgnPDDz9qkT1oetVB4m8Oc6RROj2Ud\
    2_cxPKyfGLNirzHYlPRU53w01vixQ",
      RS512 = "VXWFb12Vkx2BTVdT8H4soOiXmMsxhvpLzkSFaVB_aVmSntbiIRw3JZdp3JrNkXrjzdX8Sikf3lCkfimOXOfs8qZQ4SD0sfhY2\
    dfGNj4Th0usW5dkJ_DH_f8Ozg2aBDpS-BHHDUyXEtLxxJIOTIeXsuz_oOwAW_6gcf9gpKgQF35JPLEDtEYS5-_pqDFpJv0n-VkWIsp_iH-2J\
    3f8dhVy1BEBizoeNHju97THEIQp-kznN_2yhw7FjEsHN_YVGOyqa1Q02QehXn0aMVCKyoL8qSztSdLRQvVUzBEM2HdKS1uxvsz4Rnc9vyUoP\
    IXvks9JIFt24sUU-3PgwJFrU3OJjg",
      PS512 = "EiYvIGDTGmZnnm7paMqrP-b2eHfYKbTNMM2HVGY9qJVA0fgW8DjexWPGlJaIuq9KBBygyys0rN0D8AQlTA8NGR4j9aqGua9dD\
    R_gfMMg8GHU0JyKLiRIz5EZjGRD13fZ5jI96ZAAhbb5bCvTyrePLRQr5RqnN7vtYwWrxCzOAgeQDBkctyXdUGhh3htwwN7vwd2XoD0cbbZeY\
    DGkCcMiFwpk7ii4g-JFJTtvISkA3UHXfG6cIMOP9ivWzcIJ-6wKXPu3hClIZvEoOPC5sZ8Ijj_N45VT4xf2PmNHYpBtSVqtWres5dtZIq-lo\
    xB2PxSBQwgDZqEdAqra12-u3xGTLg",
      ES256 = "5bhaCA7B__Lc7WVxpDv0ryF82ODG2_yAalT7P0SAWGcaueNZ5IZk4N_odAoD2zqdz9ga1wTk66oFQ6yeJaZrkA",
      ES384 = "CK9EXMwKPTWn0hbl20xDaOZHVBsJKlmx9eVsoEC7NvrPGYuopSwEesOMGOPnv11myu8-JdQnpB1fApilTW2aJRZRnFSqZvGpu\
    iCI8pyyQQq42cTZeZuSxmURgsPm6CIy",
      EdDSA = "_TOe5kxjm7BrVP8LkDuYzMirPA3DvIhvJQUO1EU3lmPHLgzbDMBMyPmnALBWkP23AP4wei3dL1qPzUfFocUQAw",
    }
    """

  static let rsaPEM = """
    -----BEGIN PUBLIC KEY-----
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAhtWog/Ehg4eTGozPcNX+
    EEscs0b1Rbeo918FWuIoWSYmVJthEAU+Npgi9ad/klizLuyVSi7UsnnAOzUw/uqc
    lUNgpARIUDFqhyWM5gWXbHZFwY/XEPUJIzceix/zuDR7jcuJ9d04XHRf5UF8o2Go
    Srs4xPbgHZyDw0nxBqM1Pnth9BKRESY1nsFo2qjqoDo2yiXYfIE8lp+O5l4w1sPz
    Jrs8GT5+4h8gELO1V8suDOUNg2Yv4+fld75oQ9EPfjNcDE34sXJhljqP7KkZXy9m
    9/pG3gP3mylG9NUK9SGi1x6DoRamEaXiQ8fGgy2aAFKmsGV3gQDLwjAPlZ48gzwp
    9QIDAQAB
    -----END PUBLIC KEY-----
    """

  static let p256PEM = """
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3vHaBj3Z4jEkKUt2jxEsojlg06TJ
    fbbTkU1S6bZBDHBjJGxZb3tr9chMYxBNL6aZYxaW/cXqwUmpVhRyenkQ4Q==
    -----END PUBLIC KEY-----
    """

  static let p521PEM = """
    -----BEGIN PUBLIC KEY-----
    MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBHgORzO7G+r0fWRZgnYWslRml1iqa
    bADNuPdY57AfI20bgq5CqmlxSRpl6aAfKO3mlqGg0wjMNoulxhQJUYIOv84B1lXW
    dwIgb7Y84SgUKPcwc47ab76LZ974an84zkB7E0PB1uSv5BlHqHr0xUJWW4lwdAKA
    42p3f8H7FT+bZgHawzM=
    -----END PUBLIC KEY-----
    """

  /// Of 1,024 bits, which is too short.
  static let shortRSA = """
    {kty = "RSA", n = "tf1keaI0WalnAhzct1xVfipKf5U7r-6s--FPrRnYuApaOOHUXz4KmjcAUohr6165xt2Zo4_iwqxpGeyEsjC5MOH0y\
    9Qklz_lKVUU2LzDOHpPzhaT_QghLylBjiYMy84Z-JS6tFtAuzIxzQuapkydNZFbIHs5kiu-KLDo8HBfufM", e = "AQAB"}
    """
}
