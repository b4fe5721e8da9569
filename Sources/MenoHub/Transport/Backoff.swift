internal import AsyncHTTPClient
internal import Foundation

/// How long to wait before a request is repeated.
struct Backoff {
    private let settings: HubSettings
    private var repetitions = 0

    init(_ settings: HubSettings) { self.settings = settings }

    /// Something has arrived since: the next failure is the first again.
    mutating func reset() { repetitions = 0 }

    /// - Returns: `nil` where it has been repeated often enough.
    mutating func next() -> Duration? {
        guard repetitions < settings.retries else { return nil }
        defer { repetitions += 1 }
        return settings.retryDelay * (1 << min(repetitions, 5))
    }

    /// - Returns: `nil` where a repetition would bring the same answer, or the server wants to be left alone for too long.
    mutating func delay(after response: HTTPClientResponse) -> Duration? {
        guard [408, 429, 500, 502, 503, 504].contains(response.status.code) else { return nil }
        guard let next = next() else { return nil }
        guard let wish = Self.wish(response) else { return next }
        return wish > settings.longestWait ? nil : max(wish, next)
    }

    /// The wait that a server asks for, by `Retry-After` (seconds, or a date) or by `RateLimit: "api";r=0;t=55`.
    static func wish(_ response: HTTPClientResponse) -> Duration? {
        if let text = response.headers.first(name: "Retry-After") {
            if let seconds = Int(text.trimmingCharacters(in: .whitespaces)), seconds >= 0 { return .seconds(seconds) }
            let formatter = DateFormatter()
            formatter.locale = Locale(identifier: "en_US_POSIX")
            formatter.timeZone = TimeZone(identifier: "GMT")
            formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
            if let date = formatter.date(from: text) { return .seconds(max(0, date.timeIntervalSinceNow)) }
        }
        guard response.status == .tooManyRequests,
            let match = response.headers.first(name: "RateLimit")?.firstMatch(of: #/;\s*t=(\d{1,9})/#),
            let seconds = Int(match.1)
        else { return nil }
        return .seconds(seconds)
    }
}
