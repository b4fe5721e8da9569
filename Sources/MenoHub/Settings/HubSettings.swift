package import Foundation

/// The locations of the Hub and the cache, from the variables that `huggingface_hub` reads.
package struct HubSettings: Sendable {
    /// `HF_ENDPOINT`, without a trailing slash.
    package let endpoint: String
    /// `HF_HUB_CACHE`, the folder that all Hugging Face programs share.
    package let cache: URL
    /// The variable that disables network requests; `nil` if they are allowed.
    package let offlineBecause: String?
    package let token: HubToken?
    /// How long to wait for the server's response.
    package var answerTimeout: Duration
    /// How long a download may receive no data.
    package var readTimeout: Duration
    /// The wait before the first retry; it doubles with each further retry.
    package var retryDelay: Duration = .seconds(1)
    /// The number of consecutive retries without progress before a download is abandoned.
    package var retries = 5
    /// The longest wait for a rate limit.
    package var longestWait: Duration = .seconds(300)
    /// The number of concurrent downloads.
    package var parallelFiles = 8
    /// `SSL_CERT_FILE`, a PEM file of certificate authorities. `nil`: the system's.
    package let certificates: String?
    let proxies: ProxySettings

    /// Free bytes on the cache's file system.
    package var freeSpace: Int? { DiskSpace.free(at: cache) }

    /// - Throws: ``HubError`` `badSetting` if a variable is invalid.
    package init(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        // An empty variable counts as unset, as a shell user means by `HF_HOME= meno …`.
        let environment = environment.filter { !$0.value.isEmpty }
        let path = { (name: String) in environment[name].map { Self.expanded($0, environment) } }
        let user = environment["HOME"] ?? NSHomeDirectory()
        let home = path("HF_HOME") ?? (path("XDG_CACHE_HOME") ?? "\(user)/.cache") + "/huggingface"
        let cache = path("HF_HUB_CACHE") ?? path("HUGGINGFACE_HUB_CACHE") ?? "\(home)/hub"
        self.cache = URL(filePath: cache, directoryHint: .isDirectory)
        endpoint = try Self.endpoint(environment["HF_ENDPOINT"] ?? "https://huggingface.co")
        let isTrue = { (name: String) in
            ["1", "ON", "YES", "TRUE"].contains(environment[name]?.uppercased() ?? "")
        }
        offlineBecause = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].first(where: isTrue)
        token = isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? nil : try HubToken.find(environment, home: home)
        let seconds = { (name: String) throws -> Duration in
            guard let text = environment[name] else { return .seconds(10) }
            guard let value = Int(text), value > 0 else {
                throw HubError(.badSetting, at: name, "is \"\(text)\"; expected a number of seconds above 0.")
            }
            return .seconds(value)
        }
        answerTimeout = try seconds("HF_HUB_ETAG_TIMEOUT")
        readTimeout = try seconds("HF_HUB_DOWNLOAD_TIMEOUT")
        certificates = try Self.certificates(environment)
        proxies = ProxySettings(environment)
    }

    /// From the variables of OpenSSL, Python's requests and curl.
    private static func certificates(_ environment: [String: String]) throws -> String? {
        let names = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
        guard let name = names.first(where: { environment[$0] != nil }), let text = environment[name] else {
            return nil
        }
        let path = expanded(text, environment)
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw HubError(
                .badSetting, at: name, "is \(path), which cannot be read.",
                advice: "Expected a file of certificates in PEM format.")
        }
        return path
    }

    private static func endpoint(_ text: String) throws -> String {
        let text = text.trimmingCharacters(in: .whitespaces)
        guard let url = URL(string: text), let scheme = url.scheme, ["http", "https"].contains(scheme),
            url.host?.isEmpty == false
        else {
            throw HubError(
                .badSetting, at: "HF_ENDPOINT", "is \"\(text)\", which is not a URL.",
                advice: "Expected a URL such as https://huggingface.co.")
        }
        return String(text.reversed().drop { $0 == "/" }.reversed())
    }

    /// A path with `~` and `$NAME` expanded as in Python.
    static func expanded(_ path: String, _ environment: [String: String]) -> String {
        let home = environment["HOME"] ?? NSHomeDirectory()
        let tilde = path == "~" || path.hasPrefix("~/") ? home + path.dropFirst() : path
        return tilde.replacing(#/\$(?:\{(\w+)\}|(\w+))/#) { match in
            environment[String(match.1 ?? match.2 ?? "")] ?? String(match.0)
        }
    }
}
