package import Foundation

/// Where the Hub and its cache are, by the variables that `huggingface_hub` reads.
package struct HubSettings: Sendable {
    /// `HF_ENDPOINT`, without a slash at its end.
    package let endpoint: String
    /// `HF_HUB_CACHE`: the folder that all of Hugging Face's programs share.
    package let cache: URL
    /// Whether no request may be made, and the variable that says so.
    package let offlineBecause: String?
    package let token: HubToken?
    /// How long the server may take to answer a question.
    package var answerTimeout: Duration
    /// How long a download may bring nothing.
    package var readTimeout: Duration
    /// The wait before the first repetition; each further one waits twice as long.
    package var retryDelay: Duration = .seconds(1)
    /// Repetitions in a row that bring nothing before a download is given up.
    package var retries = 5
    /// The longest time that a rate limit is waited for.
    package var longestWait: Duration = .seconds(300)
    /// Files that are downloaded at once.
    package var parallelFiles = 8
    /// `SSL_CERT_FILE`: a file of certificates of authorities, in PEM. `nil`: those of the system.
    package let certificates: String?
    let proxies: ProxySettings

    /// Bytes that are free where the cache lies, or will lie.
    package var freeSpace: Int? { DiskSpace.free(at: cache) }

    /// - Throws: ``HubError`` `badSetting` where a variable says what cannot be.
    package init(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        // An empty variable counts as none, as a shell's `HF_HOME= meno …` means it.
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

    /// By the variables of OpenSSL, of Python's requests and of curl.
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

    /// A path with `~` and `$NAME` written out, as Python does it.
    static func expanded(_ path: String, _ environment: [String: String]) -> String {
        let home = environment["HOME"] ?? NSHomeDirectory()
        let tilde = path == "~" || path.hasPrefix("~/") ? home + path.dropFirst() : path
        return tilde.replacing(#/\$(?:\{(\w+)\}|(\w+))/#) { match in
            environment[String(match.1 ?? match.2 ?? "")] ?? String(match.0)
        }
    }
}
