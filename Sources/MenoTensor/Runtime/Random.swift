internal import CTorch

/// libtorch's random number generators.
package enum RandomGenerator {
    /// Seeds the generators of every device.
    package static func seed(_ seed: UInt64) throws { try check(ct_manual_seed(seed), "manual_seed") }

    /// The full state of a device's generator. Restoring it repeats the numbers that followed.
    package static func state(of device: Device = .cpu) throws -> [UInt8] {
        var result: OpaquePointer?
        try check(ct_random_state(device.raw, &result), "random state")
        return try Tensor(owning: result!).array(of: UInt8.self)
    }

    /// Restores a state returned by ``state(of:)``.
    package static func setState(_ state: [UInt8], of device: Device = .cpu) throws {
        let bytes = try Tensor(state)
        try check(ct_set_random_state(device.raw, bytes.handle), "random state")
    }
}

/// The states of the generators of the CPU and of a device.
package struct RandomStates {
    package let states: [(device: Device, state: [UInt8])]

    /// The current states.
    package init(of device: Device) throws {
        states = try Self.devices(of: device).map { ($0, try RandomGenerator.state(of: $0)) }
    }

    /// Restores the generators to these states.
    package func restore() throws {
        for (device, state) in states { try RandomGenerator.setState(state, of: device) }
    }

    /// The devices whose generators these are.
    package static func devices(of device: Device) -> [Device] { device == .cpu ? [.cpu] : [.cpu, device] }
}
