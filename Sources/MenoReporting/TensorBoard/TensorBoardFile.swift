package import Foundation
package import MenoMetrics

/// `events.out.tfevents.*`: the numbers of a run as TensorBoard reads them, by the names that `Trainer` gives them.
///
/// Each process writes a file of its own, which makes TensorBoard forget what was told before of the steps that it does.
package final class TensorBoardFile: RunObserver {
    private let folder: URL
    private let now: () -> Date
    private var file: LineFile?

    /// - Parameter folder: made where it is not there.
    package init(in folder: URL, now: @escaping () -> Date = { Date() }) {
        self.folder = folder
        self.now = now
    }

    package func observe(_ event: RunEvent) throws {
        switch event {
        case .started(let description): try begin(at: description.resumedAtStep)
        case .step(let metrics):
            try write(
                [
                    ("train/loss", metrics.loss), ("train/grad_norm", metrics.gradientNorm),
                    ("train/learning_rate", metrics.learningRate), ("train/epoch", metrics.epoch),
                    ("train/tokens_per_second", metrics.tokensPerSecond),
                ], step: metrics.step)
        case .evaluated(let metrics):
            var values = [
                ("eval/loss", metrics.loss), ("eval/perplexity", metrics.perplexity),
                ("eval/token_accuracy", metrics.tokenAccuracy), ("eval/runtime", metrics.seconds),
            ]
            if let perplexity = metrics.completionPerplexity {
                values.append(("eval/completion_perplexity", perplexity))
            }
            try write(values, step: metrics.step)
        case .resources(let usage):
            var values = [("memory/resident_mib", Double(usage.resident) / 1_048_576)]
            for accelerator in usage.accelerators {
                values.append(("memory/gpu_\(accelerator.index)_mib", Double(accelerator.allocated) / 1_048_576))
            }
            try write(values, step: usage.step)
        case .finished: try file?.synchronize()
        default: break
        }
    }

    // The numbers of fields are those of tensorflow/core/util/event.proto and framework/summary.proto.

    private func begin(at step: Int) throws {
        let seconds = Int(now().timeIntervalSince1970)
        let host = ProcessInfo.processInfo.hostName.filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "." }
        let name = "events.out.tfevents.\(seconds).\(host).\(ProcessInfo.processInfo.processIdentifier)"
        file = try LineFile(.newFile(in: folder, names: (0...).lazy.map { "\(name).\($0)" }))
        var version = event(step: 0)
        version.add(3, text: "brain.Event:2")
        try append(version)
        // A session that starts at a step: what other files have of it and later is out of date.
        var session = ProtocolBuffer()
        session.add(1, varint: 1)
        var start = event(step: step > 0 ? step + 1 : 0)
        start.add(7, message: session)
        try append(start)
    }

    private func write(_ values: [(tag: String, value: Double)], step: Int) throws {
        var summary = ProtocolBuffer()
        for (tag, value) in values where value.isFinite {
            var entry = ProtocolBuffer()
            entry.add(1, text: tag)
            entry.add(2, float: Float(value))
            summary.add(1, message: entry)
        }
        guard !summary.data.isEmpty else { return }
        var event = event(step: step)
        event.add(5, message: summary)
        try append(event)
    }

    private func event(step: Int) -> ProtocolBuffer {
        var event = ProtocolBuffer()
        event.add(1, double: now().timeIntervalSince1970)
        if step > 0 { event.add(2, varint: UInt64(step)) }
        return event
    }

    private func append(_ event: ProtocolBuffer) throws {
        try file?.add(RecordFraming.framed(event.data))
    }
}
