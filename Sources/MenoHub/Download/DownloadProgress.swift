internal import Foundation
internal import Synchronization

/// Progress reports of a download.
package enum HubEvent: Sendable {
    case note(String)
    /// A line that the next one replaces.
    case progress(String)
}

/// Counts the bytes of all files in a download and reports them at intervals.
final class DownloadProgress: Sendable {
    private struct State {
        var total = 0
        var done = 0
        /// Bytes that were present at the start.
        var start: Int?
        var began = ContinuousClock.now
        var told = ContinuousClock.now
        /// The time of the last report on a permanent line, for readers of a log.
        var noted = ContinuousClock.now
    }

    private let name: String
    private let send: @Sendable (HubEvent) -> Void
    private let state = Mutex(State())

    init(_ name: String, _ send: @escaping @Sendable (HubEvent) -> Void) {
        (self.name, self.send) = (name, send)
    }

    func note(_ text: String) { send(.note(text)) }

    func begin(total: Int) { state.withLock { $0 = State(total: total) } }

    /// - Parameter bytes: negative if something is downloaded again.
    func add(_ bytes: Int) {
        let event: HubEvent? = state.withLock { state in
            state.done += bytes
            let now = ContinuousClock.now
            guard now - state.told > .milliseconds(200) else { return nil }
            state.told = now
            // Bytes that were already present are counted in the first moments and were not downloaded now.
            let start = state.start ?? state.done
            state.start = start
            let seconds = (now - state.began) / .seconds(1)
            let text = Self.text(name, state.done, of: state.total, speed: Double(state.done - start) / seconds)
            guard now - state.noted > .seconds(60) else { return .progress(text) }
            state.noted = now
            return .note(text)
        }
        if let event { send(event) }
    }

    /// Reports that the download is complete.
    func finish() {
        let text = state.withLock { state in
            let seconds = (ContinuousClock.now - state.began) / .seconds(1)
            return "downloaded \(name) in \(String(format: "%.1f", seconds)) s"
        }
        send(.note(text))
    }

    private static func text(_ name: String, _ done: Int, of total: Int, speed: Double) -> String {
        var text = "\(name): \(ByteText.english(done)) of \(ByteText.english(total))"
        guard speed >= 1 else { return text }
        text += ", \(ByteText.english(Int(speed)))/s"
        let left = Double(total - done) / speed
        guard left > 1, left < 360_000 else { return text }
        let minutes = Int(left) / 60
        return text + (minutes > 0 ? ", \(minutes) min left" : ", \(Int(left)) s left")
    }
}

/// Human-readable sizes in powers of ten, as on the Hub's pages.
package enum ByteText {
    package static func english(_ bytes: Int) -> String {
        var (value, unit) = (Double(bytes), 0)
        let units = ["bytes", "kB", "MB", "GB", "TB"]
        while value >= 999.5, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
        return unit == 0 ? "\(bytes) bytes" : String(format: value < 9.95 ? "%.1f %@" : "%.0f %@", value, units[unit])
    }
}
