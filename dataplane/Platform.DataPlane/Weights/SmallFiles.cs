using System.Collections.Concurrent;
using Platform.DataPlane.Nvme;

namespace Platform.DataPlane.Weights;

/// <summary>The files of a model that hold no weights (configuration, tokenizer, index), whole in memory. Thread-safe.</summary>
/// <param name="maxBytes">Bytes that one of them may have.</param>
internal sealed class SmallFiles(long maxBytes)
{
    private readonly ConcurrentDictionary<string, ReadOnlyMemory<byte>> _files = new(StringComparer.Ordinal);

    /// <summary>The bytes of a file; null if the model has none of that name, or it was not read yet.</summary>
    public ReadOnlyMemory<byte>? Find(string name) => _files.TryGetValue(name, out var bytes) ? bytes : default(ReadOnlyMemory<byte>?);

    /// <summary>Reads them all at once.</summary>
    /// <param name="model">The model.</param>
    /// <param name="image">Copy in host memory: where they come from with <paramref name="isAwake"/>, and else where they are kept too; null for none.</param>
    /// <param name="isAwake">True if the image has them.</param>
    /// <param name="lease">Opens a file in the tier.</param>
    /// <param name="cancellationToken">Ends the reads.</param>
    /// <returns>Their bytes in all.</returns>
    /// <exception cref="WeightsException">One is too large.</exception>
    public async Task<long> ReadAsync(ModelFiles model, HostImage? image, bool isAwake, Func<ModelFileSource, Task<BlobLease>> lease, CancellationToken cancellationToken)
    {
        var small = model.Files.Where(static file => !file.IsWeights).ToList();
        if (small.Find(file => file.LengthBytes > maxBytes) is { } large)
        {
            throw new WeightsException($"'{large.Name}' of model '{model.Model}' has {large.LengthBytes} bytes; a file that is not weights may have {maxBytes}. Remove it from the model.");
        }

        await Task.WhenAll(small.Select(async file =>
        {
            var bytes = new byte[file.LengthBytes];
            var kept = image?.Of(file.Name).Slice(0, bytes.Length);
            if (isAwake)
            {
                kept!.Value.CopyTo(bytes);
            }
            else
            {
                await (await lease(file)).ReadAsync(0, bytes, cancellationToken);
                if (kept is { } place)
                {
                    bytes.CopyTo(place);
                }
            }

            _files[file.Name] = bytes;
        }));
        return small.Sum(file => file.LengthBytes);
    }
}
