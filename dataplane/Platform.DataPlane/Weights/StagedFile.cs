using System.Collections;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme;

namespace Platform.DataPlane.Weights;

/// <summary>A weights file on its way into memory: an image of the whole file, into which chunks are read where they belong.</summary>
internal sealed class StagedFile : IDisposable
{
    private readonly AlignedMemory _image;
    private readonly BitArray _landed;
    private readonly Lock _gate = new();

    public StagedFile(ModelFileSource source, BlobLease lease)
    {
        Source = source;
        Lease = lease;
        _image = new AlignedMemory(source.LengthBytes);
        ChunkCount = (int)((source.LengthBytes + lease.ChunkBytes - 1) / lease.ChunkBytes);
        _landed = new BitArray(ChunkCount);
    }

    public ModelFileSource Source { get; }

    public BlobLease Lease { get; }

    public int ChunkCount { get; }

    /// <summary>Content bytes of a chunk.</summary>
    public int LengthOf(int chunk) => (int)Math.Min(Lease.ChunkBytes, Source.LengthBytes - ((long)chunk * Lease.ChunkBytes));

    /// <summary>Chunks that hold a part of some bytes.</summary>
    public IEnumerable<int> ChunksOf(long offset, long length)
    {
        if (length > 0)
        {
            for (var chunk = (int)(offset / Lease.ChunkBytes); chunk <= (int)((offset + length - 1) / Lease.ChunkBytes); chunk++)
            {
                yield return chunk;
            }
        }
    }

    /// <summary>Reads a chunk into the image. Once per chunk; reading it again does nothing.</summary>
    /// <returns>Bytes that landed by this call.</returns>
    public async Task<int> LandAsync(int chunk, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_landed[chunk])
            {
                return 0;
            }
        }

        var offset = (long)chunk * Lease.ChunkBytes;
        await Lease.ReadAsync(offset, _image.Slice(offset, LengthOf(chunk)), cancellationToken);
        lock (_gate)
        {
            _landed[chunk] = true;
        }

        return LengthOf(chunk);
    }

    /// <summary>Bytes of the image.</summary>
    public Memory<byte> Slice(long offset, long length) => length <= int.MaxValue
        ? _image.Slice(offset, (int)length)
        : throw new WeightsException($"'{Source.Name}' has a tensor of {length} bytes; {int.MaxValue} is the most that one may have here. Split it.");

    /// <summary>Lands the beginning of the file up to the end of its header, and reads that.</summary>
    /// <returns>The header, and how many chunks landed.</returns>
    public async Task<(SafetensorsHeader Header, int Chunks)> ReadHeaderAsync(CancellationToken cancellationToken)
    {
        var chunks = 0;
        long Landed() => Math.Min((long)chunks * Lease.ChunkBytes, Source.LengthBytes);
        if (ChunkCount > 0)
        {
            await LandAsync(chunks++, cancellationToken);
        }

        var length = SafetensorsHeader.PrefixLengthBytes + (long)SafetensorsHeader.ReadHeaderLength(Source.Name, Slice(0, Math.Min(Landed(), SafetensorsHeader.PrefixLengthBytes)).Span, Source.LengthBytes);
        while (Landed() < length)
        {
            await LandAsync(chunks++, cancellationToken);
        }

        return (SafetensorsHeader.Parse(Source.Name, Slice(0, length).Span, Source.LengthBytes), chunks);
    }

    public void Dispose() => _image.Dispose();
}
