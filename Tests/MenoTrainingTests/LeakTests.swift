import MenoMetrics
import MenoMonitor
import MenoReporting
import MenoTesting
import Testing

@testable import MenoTraining

/// Memory that grows from step to step, as the system counts it.
@Suite(.drawsRandomNumbers) struct LeakTests {
    /// Holds on to some memory at every step.
    private final class Leaking: RunObserver {
        private let bytes: Int
        private var held: [UnsafeMutableRawPointer] = []

        init(bytes: Int) { self.bytes = bytes }
        deinit { held.forEach { $0.deallocate() } }

        func observe(_ event: RunEvent) {
            guard case .step = event, bytes > 0 else { return }
            let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
            memory.initializeMemory(as: UInt8.self, repeating: 1, count: bytes)
            held.append(memory)
        }
    }

    @Test(.enabled(if: ProcessMemory.current().resident > 0, "the system does not tell a process's memory"))
    func aLeakIsNoticedWithItsBeginning() throws {
        let monitor = try MonitorObserver(MonitorConfiguration())
        let alerts = Recorder()
        try TinyRun.loop(observers: [Leaking(bytes: 8 << 20), monitor, alerts], policies: [monitor.policy]) {
            $0.epochs = 30
            $0.loggingSteps = 1
            $0.evaluationStrategy = .no
        }.run(model: "tiny")
        let alert = try #require(
            alerts.all.compactMap { event in
                if case .alertBegan(let alert) = event, alert.kind == .memoryGrowth { alert } else { nil }
            }.first)
        #expect(alert.detectedStep <= 60 && alert.startStep < alert.detectedStep)
    }
}
