using System.Collections;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme;

namespace Platform.DataPlane.Weights;

/// <summary>A weights file on its way: chunk by chunk into an image in host memory, into device memory, or into both at once.</summary>
/// <remarks><code>
/// lease (NVMe tier) --read--> image, or a buffer of the ring --copy--> device buffer: the data section, without the header
///                   --read-------------------------------------------^ where that is the machine's own memory; --copy--> image, when all is there
/// image that is whole ------------------------------------------copy--^
/// </code></remarks>
internal sealed class StagedFile : IDisposable
{
    private readonly AlignedMemory? _image;
    private readonly bool _ownsImage;
    private readonly bool _imageIsWhole;
    private readonly BitArray _landed;
    private readonly BitArray _inImage;
    private readonly Lock _gate = new();
    private BlobView? _beginning;
    private int _beginningBytes;
    private int _beginningChunks;
    private DevicePlace? _device;

    /// <summary>A file that ends up in host memory of its own.</summary>
    public StagedFile(ModelFileSource source, BlobLease lease)
        : this(source, lease, lease.ChunkBytes, new AlignedMemory(source.LengthBytes), imageIsWhole: false) => _ownsImage = true;

    /// <summary>A file on its way to a device, with or without an image that is kept.</summary>
    /// <param name="source">Which file.</param>
    /// <param name="lease">Where its bytes are; null if <paramref name="imageIsWhole"/>.</param>
    /// <param name="chunkBytes">Bytes that move at once.</param>
    /// <param name="image">Host memory for, or with, the whole file.</param>
    /// <param name="imageIsWhole">The bytes are in <paramref name="image"/> already.</param>
    public StagedFile(ModelFileSource source, BlobLease? lease, int chunkBytes, AlignedMemory? image, bool imageIsWhole)
    {
        Source = source;
        Lease = lease;
        ChunkBytes = chunkBytes;
        _image = image;
        _imageIsWhole = imageIsWhole;
        ChunkCount = (int)((source.LengthBytes + chunkBytes - 1) / chunkBytes);
        _landed = new BitArray(ChunkCount);
        _inImage = new BitArray(ChunkCount, imageIsWhole);
    }

    public ModelFileSource Source { get; }

    public BlobLease? Lease { get; }

    public int ChunkBytes { get; }

    public int ChunkCount { get; }

    /// <summary>Where the file's data lies on the device; null if it stays in host memory.</summary>
    public DevicePlace? Device => _device;

    /// <summary>Content bytes of a chunk.</summary>
    public int LengthOf(int chunk) => (int)Math.Min(ChunkBytes, Source.LengthBytes - OffsetOf(chunk));

    /// <summary>The chunk with a byte.</summary>
    public int ChunkOf(long offset) => (int)(offset / ChunkBytes);

    /// <summary>The chunk behind the last one that holds a part of some bytes; that of the first of them if there are none.</summary>
    public int EndChunkOf(long offset, long length) => length == 0 ? ChunkOf(offset) : ChunkOf(offset + length - 1) + 1;

    /// <summary>Brings a chunk to where the file goes. Once per chunk; doing it again does nothing.</summary>
    /// <returns>Bytes that landed by this call.</returns>
    public async Task<int> LandAsync(int chunk, CancellationToken cancellationToken)
    {
        bool isInImage;
        lock (_gate)
        {
            if (_landed[chunk])
            {
                return 0;
            }

            isInImage = _inImage[chunk];
        }

        var (offset, length) = (OffsetOf(chunk), LengthOf(chunk));
        var direct = !isInImage && offset >= _device?.OriginBytes ? _device.Direct : null;
        if (_image is not null && direct is null)
        {
            var bytes = _image.Slice(offset, length);
            if (!isInImage)
            {
                await Lease!.ReadAsync(offset, bytes, cancellationToken);
            }

            await CopyAsync(offset, bytes);
        }
        else if (_image is null && offset + length <= _beginningBytes)
        {
            await CopyAsync(offset, _beginning!.Memory.Slice((int)offset, length));
        }
        else if (direct is not null)
        {
            await Lease!.ReadAsync(offset, direct.Slice(offset - _device!.OriginBytes, length), cancellationToken);
        }
        else
        {
            using var buffer = await _device!.Ring.RentAsync(cancellationToken);
            var bytes = buffer.Memory[..length];
            await Lease!.ReadAsync(offset, bytes, cancellationToken);
            await CopyAsync(offset, bytes);
        }

        lock (_gate)
        {
            _landed[chunk] = true;
            _inImage[chunk] = _image is not null && direct is null;
            if (offset + length <= _beginningBytes && --_beginningChunks == 0)
            {
                _beginning?.Dispose();
            }
        }

        return length;
    }

    /// <summary>Copies to the image what went straight into the device's memory; when every chunk has landed. Does nothing where all went through the image.</summary>
    public async Task KeepAsync()
    {
        for (var chunk = 0; chunk < ChunkCount && _image is not null && _device is not null; chunk++)
        {
            if (!_inImage[chunk])
            {
                await _device.Stream.CopyToHostAsync(_device.Buffer, OffsetOf(chunk) - _device.OriginBytes, _image.Slice(OffsetOf(chunk), LengthOf(chunk)));
            }
        }
    }

    /// <summary>Bytes of the file's data section where it went: on the device, if that is host memory, else in the image.</summary>
    /// <exception cref="WeightsException">They are on a device that the processor cannot read, or are more than one view can hold.</exception>
    public Memory<byte> Slice(long offset, long length)
    {
        if (length > int.MaxValue)
        {
            throw new WeightsException($"'{Source.Name}' has a tensor of {length} bytes; {int.MaxValue} is the most that one may have here. Split it.");
        }

        // An image on the way to a device is the store's, which may drop it as soon as the load is over.
        return _device is null ? _image!.Slice(offset, (int)length)
            : _device.Buffer.HostView is { } view ? view.Slice(offset - _device.OriginBytes, (int)length)
            : throw new WeightsException($"'{Source.Name}' lies in the memory of '{_device.Room.Accelerator.Info.Name}', which the processor cannot read.");
    }

    /// <summary>Brings the beginning of the file up to the end of its header into host memory, and reads that.</summary>
    public async Task<OpenedFile> ReadHeaderAsync(CancellationToken cancellationToken)
    {
        var first = await ReadBeginningAsync(Math.Min(1, ChunkCount), cancellationToken);
        var length = SafetensorsHeader.PrefixLengthBytes + (long)SafetensorsHeader.ReadHeaderLength(Source.Name, first.Span[..Math.Min(first.Length, SafetensorsHeader.PrefixLengthBytes)], Source.LengthBytes);
        var chunks = Math.Max(Math.Min(1, ChunkCount), (int)((length + ChunkBytes - 1) / ChunkBytes));
        var beginning = first.Length >= length ? first : await ReadBeginningAsync(chunks, cancellationToken);
        return new OpenedFile(this, SafetensorsHeader.Parse(Source.Name, beginning.Span[..(int)length], Source.LengthBytes), _image is null || _imageIsWhole ? 0 : chunks);
    }

    /// <summary>Gives the file its place on a device, before anything but its beginning is brought in.</summary>
    public void PlaceOn(DevicePlace device)
    {
        _device = device;

        // What came in with the header has still to go to the device. When the last of it is there the memory for it goes.
        _landed.SetAll(false);
        _beginningChunks = (_beginningBytes + ChunkBytes - 1) / ChunkBytes;
    }

    public void Dispose()
    {
        _beginning?.Dispose();
        if (_ownsImage)
        {
            _image?.Dispose();
        }
    }

    private long OffsetOf(int chunk) => (long)chunk * ChunkBytes;

    private async ValueTask<ReadOnlyMemory<byte>> ReadBeginningAsync(int chunks, CancellationToken cancellationToken)
    {
        var length = (int)Math.Min((long)chunks * ChunkBytes, Source.LengthBytes);
        if (_image is not null)
        {
            for (var chunk = 0; chunk < chunks && !_imageIsWhole; chunk++)
            {
                await LandAsync(chunk, cancellationToken);
            }

            return _image.Slice(0, length);
        }

        _beginning?.Dispose();
        _beginning = await Lease!.ReadViewAsync(0, length, cancellationToken);
        _beginningBytes = length;
        return _beginning.Memory;
    }

    /// <summary>Copies what belongs to the device; what lies before stays behind. A copy once begun is awaited, since its source must outlive it.</summary>
    private Task CopyAsync(long offset, ReadOnlyMemory<byte> bytes)
    {
        if (_device is null)
        {
            return Task.CompletedTask;
        }

        var before = (int)Math.Clamp(_device.OriginBytes - offset, 0, bytes.Length);
        return before == bytes.Length ? Task.CompletedTask : _device.Stream.CopyToDeviceAsync(bytes[before..], _device.Buffer, offset + before - _device.OriginBytes);
    }
}
