using System.Buffers;
using System.Runtime.InteropServices;

namespace Platform.DataPlane.HostMemory;

/// <summary>Native memory that starts at a multiple of 4096, so that direct I/O can read into it; freed when disposed. It does not move and is not zeroed. Large blocks lie in huge pages where the system has them.</summary>
/// <remarks>Views stay valid until disposal, and nothing checks that afterwards: whoever disposes makes sure that nobody reads any more.</remarks>
public sealed unsafe class AlignedMemory : IDisposable
{
    /// <summary>Alignment of the beginning, bytes.</summary>
    public const int AlignmentBytes = 4096;

    private readonly Block _block;

    /// <summary>Allocates.</summary>
    /// <param name="lengthBytes">Length; rounded up to a multiple of <see cref="AlignmentBytes"/>.</param>
    /// <exception cref="OutOfMemoryException">There is not so much.</exception>
    public AlignedMemory(long lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(lengthBytes);
        LengthBytes = Math.Max(AlignmentBytes, RoundUp(lengthBytes));
        _block = new Block(LengthBytes);
    }

    /// <summary>Takes over memory that a device's driver allocated.</summary>
    /// <param name="start">A multiple of <see cref="AlignmentBytes"/>.</param>
    /// <param name="lengthBytes">A multiple of <see cref="AlignmentBytes"/>.</param>
    /// <param name="free">Gives it back to the driver; called once.</param>
    internal AlignedMemory(nint start, long lengthBytes, Action free)
    {
        LengthBytes = lengthBytes;
        _block = new Block(start, free);
    }

    /// <summary>Usable length.</summary>
    public long LengthBytes { get; }

    /// <summary>Where it begins.</summary>
    internal nint Start => (nint)_block.Start;

    /// <summary>The next multiple of <see cref="AlignmentBytes"/>.</summary>
    public static long RoundUp(long bytes) => (bytes + AlignmentBytes - 1) & ~(AlignmentBytes - 1L);

    /// <summary>A view of a part.</summary>
    public Memory<byte> Slice(long offsetBytes, int lengthBytes)
    {
        ObjectDisposedException.ThrowIf(_block.IsClosed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offsetBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(lengthBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offsetBytes + lengthBytes, LengthBytes);
        return new View(_block, offsetBytes, lengthBytes).Memory;
    }

    /// <inheritdoc/>
    public void Dispose() => _block.Dispose();

    /// <summary>The allocation; freed by the runtime if nobody disposes it.</summary>
    /// <remarks>The garbage collector is not told how large it is: told, it made a full collection in every load of a model, although whoever owns the memory disposes it.</remarks>
    private sealed class Block : SafeHandle
    {
        private readonly Action? _free;

        public Block(nint start, Action free)
            : base(0, ownsHandle: true)
        {
            _free = free;
            SetHandle(start);
        }

        public Block(long lengthBytes)
            : base(0, ownsHandle: true)
        {
            var isLarge = lengthBytes >= HugePages.PageBytes;
            SetHandle((nint)NativeMemory.AlignedAlloc((nuint)lengthBytes, (nuint)(isLarge ? HugePages.PageBytes : AlignmentBytes)));
            if (isLarge)
            {
                HugePages.Advise(handle, lengthBytes);
            }
        }

        public override bool IsInvalid => handle == 0;

        public byte* Start => (byte*)handle;

        protected override bool ReleaseHandle()
        {
            if (_free is null)
            {
                NativeMemory.AlignedFree((void*)handle);
            }
            else
            {
                _free();
            }

            return true;
        }
    }

    /// <summary>Native bytes as <see cref="Memory{T}"/>. Holds the allocation, so that a view alone keeps it alive unless it was disposed.</summary>
    private sealed class View(Block block, long offset, int length) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan()
        {
            ObjectDisposedException.ThrowIf(block.IsClosed, typeof(AlignedMemory));
            return new(block.Start + offset, length);
        }

        public override MemoryHandle Pin(int elementIndex = 0) => new(block.Start + offset + elementIndex, default, this);

        public override void Unpin()
        {
            // It never moves.
        }

        protected override void Dispose(bool disposing)
        {
            // The owner frees.
        }
    }
}
