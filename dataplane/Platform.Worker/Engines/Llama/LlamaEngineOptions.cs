using Platform.Worker.Engines.Kernels;

namespace Platform.Worker.Engines.Llama;

/// <summary>Bounds and resources of one engine.</summary>
internal sealed record LlamaEngineOptions
{
    /// <summary>Threads that compute, 1 to 256. Default 1: a small model gains nothing from more, and workers share their machine.</summary>
    public int ThreadCount { get; init; } = 1;

    /// <summary>Texts that are generated side by side, 1 to 256. Default 8. Each holds keys and values for its prompt and its completion.</summary>
    public int MaxActive { get; init; } = 8;

    /// <summary>Texts that wait beyond that; one more is refused. Default 256.</summary>
    public int MaxWaiting { get; init; } = 256;

    /// <summary>Tokens per step, at least <see cref="MaxActive"/>. Default 64: prompts are cut into such pieces, so that a long prompt holds up running texts for one step only.</summary>
    public int MaxRows { get; init; } = 64;

    /// <summary>Content of <c>tokenizer_config.json</c>, which may have a chat template; null if the model has no such file.</summary>
    public ReadOnlyMemory<byte>? TokenizerConfigJson { get; init; }

    /// <summary>Instructions to use. Default: the best of this machine.</summary>
    public SimdKind Simd { get; init; } = Kernels.Simd.Best;
}
