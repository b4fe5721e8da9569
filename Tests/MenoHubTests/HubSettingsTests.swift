import Foundation
import MenoTesting
import Testing

@testable import MenoHub

/// The variables that `huggingface_hub` reads.
@Suite struct HubSettingsTests {
    @Test func whereTheCacheIs() throws {
        let cache = { (environment: [String: String]) in try HubSettings(environment).cache.path }
        #expect(try cache(["HOME": "/h"]) == "/h/.cache/huggingface/hub")
        #expect(try cache(["HOME": "/h", "XDG_CACHE_HOME": "/x"]) == "/x/huggingface/hub")
        #expect(try cache(["HOME": "/h", "HF_HOME": "~/f", "XDG_CACHE_HOME": "/x"]) == "/h/f/hub")
        #expect(try cache(["HOME": "/h", "HF_HOME": "/f", "HF_HUB_CACHE": "$HOME/c"]) == "/h/c")
        #expect(try cache(["HOME": "/h", "HF_HOME": "/f", "HUGGINGFACE_HUB_CACHE": "/o"]) == "/o")
        #expect(try cache(["HOME": "/h", "HF_HOME": "", "HF_HUB_CACHE": ""]) == "/h/.cache/huggingface/hub")
    }

    @Test func endpointAndOffline() throws {
        #expect(try HubSettings([:]).endpoint == "https://huggingface.co")
        #expect(
            try HubSettings(["HF_ENDPOINT": "https://mirror.example/hub/"]).endpoint == "https://mirror.example/hub")
        for text in ["mirror", "ftp://x", "https://"] {
            let error = #expect(throws: HubError.self) { try HubSettings(["HF_ENDPOINT": text]) }
            #expect(error?.place == "HF_ENDPOINT")
        }
        for (value, isOffline) in [
            ("1", true), ("yes", true), ("TRUE", true), ("on", true), ("0", false), ("no", false),
        ] {
            #expect((try HubSettings(["HF_HUB_OFFLINE": value]).offlineBecause != nil) == isOffline)
            #expect((try HubSettings(["TRANSFORMERS_OFFLINE": value]).offlineBecause != nil) == isOffline)
        }
        #expect(try HubSettings(["HF_HUB_DOWNLOAD_TIMEOUT": "30"]).readTimeout == .seconds(30))
        #expect(throws: HubError.self) { try HubSettings(["HF_HUB_ETAG_TIMEOUT": "soon"]) }
    }

    @Test func whereTheTokenIs() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "token")
        try "hf_ofFile\n".write(to: file, atomically: true, encoding: .utf8)
        let home = ["HF_HOME": folder.url.path]
        let token = { (more: [String: String]) in try HubSettings(home.merging(more) { $1 }).token }
        #expect(try token([:])?.authorization == "Bearer hf_ofFile")
        #expect(try token([:])?.source == file.path)
        #expect(try token(["HF_TOKEN": " hf_ofVariable "])?.authorization == "Bearer hf_ofVariable")
        #expect(try token(["HUGGING_FACE_HUB_TOKEN": "hf_old"])?.authorization == "Bearer hf_old")
        #expect(try token(["HF_TOKEN_PATH": "/nowhere"]) == nil)
        #expect(try token(["HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"]) == nil)
    }

    @Test func aTokenIsNeverShown() throws {
        let settings = try HubSettings(["HF_TOKEN": "hf_secretSecret"])
        let token = try #require(settings.token)
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(token)", "\(settings)", String(reflecting: token), String(reflecting: settings), dumped] {
            #expect(!text.contains("secret"))
        }
        #expect(token.redacted("no hf_secretSecret here") == "no [token] here")
        let error = #expect(throws: HubError.self) { try HubSettings(["HF_TOKEN": "hf_sec ret"]) }
        #expect(error?.description.contains("sec ret") == false)
    }

    @Test func certificates() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "roots.pem")
        try "".write(to: file, atomically: true, encoding: .utf8)
        let path = { (environment: [String: String]) in try HubSettings(environment).certificates }
        #expect(try path([:]) == nil)
        #expect(try path(["SSL_CERT_FILE": ""]) == nil)
        #expect(try path(["SSL_CERT_FILE": file.path]) == file.path)
        #expect(try path(["REQUESTS_CA_BUNDLE": "~/roots.pem", "HOME": folder.url.path]) == file.path)
        #expect(try path(["SSL_CERT_FILE": file.path, "CURL_CA_BUNDLE": "/nowhere"]) == file.path)
        let error = #expect(throws: HubError.self) { try HubSettings(["SSL_CERT_FILE": "/nowhere"]) }
        #expect(error?.place == "SSL_CERT_FILE" && error?.message.contains("/nowhere") == true)
    }

    @Test func proxies() throws {
        let proxies = ProxySettings([
            "https_proxy": "http://user:pass@proxy.example:3128", "HTTP_PROXY": "plain.example",
            "NO_PROXY": "localhost,.intern.example",
        ])
        let proxy = { (text: String) in proxies.proxy(for: URL(string: text)!) }
        #expect(proxy("https://huggingface.co/x")?.host == "proxy.example")
        #expect(proxy("https://huggingface.co/x")?.port == 3128)
        #expect(proxy("https://huggingface.co/x")?.user == "user")
        #expect(proxy("http://huggingface.co/x")?.host == "plain.example")
        #expect(proxy("http://localhost:80/x") == nil)
        #expect(proxy("https://a.intern.example/x") == nil && proxy("https://intern.example/x") == nil)
        #expect(proxy("https://notintern.example/x") != nil)
        #expect(ProxySettings(["ALL_PROXY": "socks5://s"]).proxy(for: URL(string: "https://x")!)?.isSOCKS == true)
        #expect(ProxySettings([:]).proxy(for: URL(string: "https://x")!) == nil)
    }
}
