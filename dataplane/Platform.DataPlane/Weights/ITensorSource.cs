namespace Platform.DataPlane.Weights;

/// <summary>The tensors of one model, some of which may still be on their way into memory.</summary>
/// <remarks>Safe for any number of threads. Whoever opened the source disposes it, after everything that computes on its memory has stopped.</remarks>
public interface ITensorSource : IAsyncDisposable
{
    /// <summary>Every tensor of the model by name; known before any of them is in memory.</summary>
    IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>Waits until the tensor's bytes are in memory and returns them; asking twice returns the same memory.</summary>
    /// <returns>Exactly <see cref="TensorInfo.LengthBytes"/> bytes of 64-byte aligned memory that does not move, row-major, valid until the source is disposed.</returns>
    /// <exception cref="WeightsException">The model has no tensor of this name, or its bytes could not be brought in.</exception>
    ValueTask<ReadOnlyMemory<byte>> GetAsync(string name, CancellationToken cancellationToken = default);
}
