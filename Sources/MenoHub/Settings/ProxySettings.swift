package import AsyncHTTPClient
package import Foundation

/// The proxies of the environment, by the variables that curl and Python read.
package struct ProxySettings: Sendable, Hashable {
    struct Proxy: Sendable, Hashable {
        let host: String
        let port: Int
        let user: String?
        let password: String?
        let isSOCKS: Bool

        /// For a client that sends everything through it.
        var configuration: HTTPClient.Configuration.Proxy {
            if isSOCKS { return .socksServer(host: host, port: port) }
            let authorization = user.map { HTTPClient.Authorization.basic(username: $0, password: password ?? "") }
            return .server(host: host, port: port, authorization: authorization)
        }
    }

    private let secure: Proxy?
    private let plain: Proxy?
    /// Hosts that are reached directly, in lower case; `*` is all of them.
    private let excluded: [String]

    package init(_ environment: [String: String]) {
        // Lower case comes first, as in curl; in upper case servers set `HTTP_PROXY` themselves for a request's header.
        let value = { (name: String) in environment[name.lowercased()] ?? environment[name.uppercased()] }
        let all = value("all_proxy")
        secure = (value("https_proxy") ?? all).flatMap(Self.proxy)
        plain = (value("http_proxy") ?? all).flatMap(Self.proxy)
        excluded = (value("no_proxy") ?? "").lowercased().split { $0 == "," || $0 == " " }.map(String.init)
    }

    private static func proxy(_ text: String) -> Proxy? {
        guard let url = URLComponents(string: text.contains("://") ? text : "http://\(text)"), let host = url.host,
            !host.isEmpty
        else { return nil }
        let isSOCKS = url.scheme?.hasPrefix("socks") ?? false
        return Proxy(
            host: host, port: url.port ?? (isSOCKS ? 1080 : 8080), user: url.user, password: url.password,
            isSOCKS: isSOCKS)
    }

    /// The proxy for an address, as a client is configured with it; `nil`: it is reached directly.
    package func configuration(for url: URL) -> HTTPClient.Configuration.Proxy? { proxy(for: url)?.configuration }

    /// The proxy for an address; `nil`: it is reached directly.
    func proxy(for url: URL) -> Proxy? {
        let host = (url.host ?? "").lowercased()
        let isExcluded = excluded.contains { entry in
            let name = entry.hasPrefix(".") ? String(entry.dropFirst()) : entry
            let bare = name.split(separator: ":").first.map(String.init) ?? name
            return name == "*" || host == bare || host.hasSuffix(".\(bare)")
        }
        return isExcluded ? nil : url.scheme == "https" ? secure : plain
    }
}
