internal import AsyncHTTPClient
internal import Foundation
internal import MenoErrors
internal import NIOCore
internal import NIOPosix

extension CodedError<HubErrorCode> {
    /// Place and message, for a sentence that goes on.
    var text: String { [place, message].compactMap { $0 }.joined(separator: " ") }

    /// The error of a connection that fails.
    /// - Throws: `CancellationError` where the task was cancelled.
    static func network(_ error: any Error, host: String, _ settings: HubSettings) throws -> HubError {
        if Task.isCancelled || error as? HTTPClientError == .cancelled { throw CancellationError() }
        if "\(error)".contains("CERTIFICATE_VERIFY_FAILED") {
            return HubError(
                .network, at: host, "has a certificate that is not signed by a trusted authority.",
                advice: settings.certificates.map { "Check that \($0) contains the authority's certificate." }
                    ?? "Install the system's certificates (Debian: ca-certificates), or set SSL_CERT_FILE to a certificate file."
            )
        }
        let reason =
            switch error {
            case let error as HTTPClientError: Self.reason(error, settings)
            case let error as NIOConnectionError:
                if let first = error.connectionErrors.first {
                    "cannot be reached (\(Self.text(first.error)))."
                } else {
                    "cannot be found: the name does not resolve on this network."
                }
            default: "cannot be reached (\(Self.text(error)))."
            }
        return HubError(.network, at: host, reason, advice: "Check the network, HF_ENDPOINT and HTTPS_PROXY.")
    }

    private static func reason(_ error: HTTPClientError, _ settings: HubSettings) -> String {
        switch error {
        case .connectTimeout, .deadlineExceeded: "did not answer within \(settings.answerTimeout.seconds) s."
        case .readTimeout: "sent nothing for \(settings.readTimeout.seconds) s."
        case .remoteConnectionClosed: "closed the connection."
        case .proxyAuthenticationRequired: "is behind a proxy that requires a user name and a password."
        case .invalidProxyResponse, .httpProxyHandshakeTimeout: "cannot be reached through the proxy."
        default: "cannot be reached (\(error.shortDescription))."
        }
    }

    private static func text(_ error: any Error) -> String {
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        return String("\(error)".prefix(200))
    }

    /// The error of an answer that is one.
    /// - Parameters:
    ///   - reference: what was asked for.
    ///   - file: the file that was asked for.
    static func refused(
        _ response: HTTPClientResponse, _ reference: HubReference, file: String? = nil, _ settings: HubSettings
    ) -> HubError {
        let status = Int(response.status.code)
        let kind = response.headers.first(name: "X-Error-Code")
        let words = said(response, settings)
        let id = reference.id
        switch (status, kind) {
        case (_, "GatedRepo"): return gated(id, settings)
        case (_, "RevisionNotFound"):
            return HubError(
                .notFound, at: id, "has no revision \"\(reference.requestedRevision)\".",
                advice: "A revision is a branch, a tag or a commit: \(settings.endpoint)/\(id)/commits/main lists them."
            )
        case (_, "EntryNotFound"):
            return HubError(.notFound, at: id, "has no file \(file ?? "of this name") at this revision.")
        case (401, _) where words == invalidCredentials, (401, _) where settings.token != nil && kind != "RepoNotFound":
            return HubError(
                .forbidden, at: id, "the token from \(settings.token?.source ?? "the request") was rejected (401).",
                advice: "It may have expired: run `hf auth login` again, or set HF_TOKEN to a new one.")
        case (401, _), (404, _), (_, "RepoNotFound"):
            return HubError(
                .notFound, at: id,
                "is not a file or folder here, and \(settings.endpoint) has nothing public with this name.",
                advice: settings.token.map {
                    "Check the spelling, and that the token from \($0.source) has access to it."
                }
                    ?? "Check the spelling. A private model needs a token: run `hf auth login`, or set HF_TOKEN.")
        case (403, _), (451, _):
            return HubError(
                .forbidden, at: id, "access was denied (\(status)\(words.map { ": \($0)" } ?? "")).",
                advice: settings.token.map {
                    "Give the token from \($0.source) read access: \(settings.endpoint)/settings/tokens."
                } ?? "It may need a token: run `hf auth login`, or set HF_TOKEN.")
        case (429, _):
            let wait = Backoff.wish(response).map { " for \($0.seconds) s" } ?? ""
            return HubError(
                .rateLimited, at: host(settings), "accepts no more requests for now\(wait) (429).",
                advice: "Run the command again later"
                    + (settings.token == nil ? "; with a token (`hf auth login`) more requests are allowed." : "."))
        default:
            return HubError(
                .network, at: host(settings), "answered with status \(status)\(words.map { ": \($0)" } ?? "").",
                advice: status >= 500 ? "Run the command again later." : nil)
        }
    }

    private static func gated(_ id: String, _ settings: HubSettings) -> HubError {
        let page = "\(settings.endpoint)/\(id)"
        return HubError(
            .forbidden, at: id, "is gated: its authors require you to accept their conditions.",
            advice: settings.token.map {
                "Accept them at \(page) with the account whose token is in \($0.source). Some authors approve requests by hand."
            } ?? "Accept them at \(page), then run `hf auth login`, or set HF_TOKEN.")
    }

    private static var invalidCredentials: String { "Invalid credentials in Authorization header" }

    private static func host(_ settings: HubSettings) -> String {
        URL(string: settings.endpoint)?.host ?? settings.endpoint
    }

    /// What the server says, fit to be shown.
    private static func said(_ response: HTTPClientResponse, _ settings: HubSettings) -> String? {
        guard let text = response.headers.first(name: "X-Error-Message"), !text.isEmpty else { return nil }
        let shown = String(text.filter { !$0.isNewline && $0.asciiValue.map { $0 >= 0x20 } ?? true }.prefix(200))
        return settings.token?.redacted(shown) ?? shown
    }
}
