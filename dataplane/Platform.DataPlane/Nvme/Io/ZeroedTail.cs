using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>Keeps zeros on disk ahead of what is written to the end of a file, so that a small write there changes no metadata of the file system.</summary>
/// <remarks>
/// A write that lengthens a file, or the first into space that is only reserved, makes the next sync commit the file system's journal as well: 260 us where a write over what was
/// written before takes 170 (4 KiB, ext4 on a virtual disk, otherwise idle).
/// </remarks>
internal sealed class ZeroedTail(DirectFile file, int limitBytes)
{
    // One journal commit for every 64 small ones, and at most this much more on disk per log.
    private const int StepBytes = 256 * 1024;

    private static readonly AlignedMemory Zeros = MakeZeros();

    private readonly Lock _gate = new();
    private long _zeroedUntil = RandomAccess.GetLength(file.Handle);

    /// <summary>Sees to it that there are zeros behind a write that is about to start. Concurrent writes wait for each other here, so none is zeroed away.</summary>
    /// <param name="end">Where the write will end.</param>
    public void Cover(long end)
    {
        if (end <= Volatile.Read(ref _zeroedUntil))
        {
            return;
        }

        lock (_gate)
        {
            if (end <= _zeroedUntil)
            {
                return;
            }

            var step = (int)Math.Min(StepBytes, limitBytes - end);
            try
            {
                if (step > 0)
                {
                    RandomAccess.Write(file.Handle, Zeros.Slice(0, step).Span, end);
                    file.Device.Figures.Written(step);
                }
            }
            catch (IOException)
            {
                // No space, most likely: the write itself may still fit, and it is the one to say so.
                step = 0;
            }

            Volatile.Write(ref _zeroedUntil, end + step);
        }
    }

    private static AlignedMemory MakeZeros()
    {
        var zeros = new AlignedMemory(StepBytes);
        zeros.Slice(0, StepBytes).Span.Clear();
        return zeros;
    }
}
