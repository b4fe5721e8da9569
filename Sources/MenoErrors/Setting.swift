/// A setting that an error refers to. Libraries know neither keys of files nor flags; a front end shows the setting
/// in the form its users know.
public enum Setting: String, Sendable, CaseIterable {
    // Model
    case model, modelDownload, adapter, dtype, device
    // Data
    case dataPath, maxLength, onInvalid, chatTemplate
    // Training
    case baseOutputDirectory, loggingDirectory, trackers
    case epochs, maxSteps, batchSize, dropsLast, learningRate, warmup
    case gradientCheckpointing, tokensPerPass
    // LoRA
    case loraRank, loraAlpha, loraDropout, targetModules, excludedModules, layersToTransform, modulesToSave
    case targetParameters, rankPattern, alphaPattern, initialAdapter
    // Options of commands
    case resumption, allowedChanges, overwrites, verification, outputFolder
}
