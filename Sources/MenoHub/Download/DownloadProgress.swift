internal import Foundation
internal import Synchronization

/// What a download tells while it goes on.
package enum HubEvent: Sendable {
    case note(String)
    /// A line that the next one replaces.
    case progress(String)
}

/// Counts the bytes of all files of a download, and reports them now and then.
final class DownloadProgress: Sendable {
    private struct State {
        var total = 0
        var done = 0
        /// Bytes that were there when it began.
        var start: Int?
        var began = ContinuousClock.now
        var told = ContinuousClock.now
        /// When it was last told in a line that stays, for those who read a log.
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

    /// - Parameter bytes: negative where something is downloaded again.
    func add(_ bytes: Int) {
        let event: HubEvent? = state.withLock { state in
            state.done += bytes
            let now = ContinuousClock.now
            guard now - state.told > .milliseconds(200) else { return nil }
            state.told = now
            // What was there before is found within the first moments, and was not downloaded now.
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

    /// Says that everything is there.
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

/// Sizes as people read them, in powers of ten, as the Hub's pages have them.
package enum ByteText {
    package static func english(_ bytes: Int) -> String {
        var (value, unit) = (Double(bytes), 0)
        let units = ["bytes", "kB", "MB", "GB", "TB"]
        while value >= 999.5, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
        return unit == 0 ? "\(bytes) bytes" : String(format: value < 9.95 ? "%.1f %@" : "%.0f %@", value, units[unit])
    }
}
