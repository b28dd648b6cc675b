using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.DeviceMemory.Host;

/// <summary>A copy that writes past the caches: weights are larger than any cache, and an ordinary store reads every line of the target first.</summary>
internal static unsafe class StreamingCopy
{
    private const int BlockBytes = 256;

    /// <summary>Below this the target is likely to be read again soon, and an ordinary copy leaves it in the cache.</summary>
    private const int LeastBytes = 1 << 20;

    /// <summary>Most threads that share a copy: one does not fill the memory's width, and a handful does.</summary>
    private const int MostThreads = 4;

    /// <summary>Least that a thread is woken for.</summary>
    private const int PartBytes = 2 << 20;

    /// <summary>Copies <paramref name="source"/> to the front of <paramref name="target"/>, together with threads of the pool if it is large and there are processors for that.</summary>
    public static void Run(ReadOnlyMemory<byte> source, Memory<byte> target)
    {
        var parts = Math.Min(Math.Min(Environment.ProcessorCount, MostThreads), source.Length / PartBytes);
        if (parts < 2)
        {
            Run(source.Span, target.Span);
            return;
        }

        // Whole pages each.
        var each = (int)AlignedMemory.RoundUp((source.Length + parts - 1) / parts);
        Parallel.For(0, parts, part =>
        {
            var offset = part * each;
            var length = Math.Min(each, source.Length - offset);
            Run(source.Slice(offset, length).Span, target.Slice(offset, length).Span);
        });
    }

    /// <summary>Copies <paramref name="source"/> to the front of <paramref name="target"/> on this thread.</summary>
    public static void Run(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (source.Length < LeastBytes || !Avx.IsSupported || target.Length < source.Length)
        {
            source.CopyTo(target);
            return;
        }

        fixed (byte* from = source, to = target)
        {
            var head = (int)(-(nint)to & 63);
            source[..head].CopyTo(target);
            var bulk = (source.Length - head) / BlockBytes * BlockBytes;
            Stream(from + head, to + head, bulk);
            source[(head + bulk)..].CopyTo(target[(head + bulk)..]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Stream(byte* from, byte* to, nint length)
    {
        // The next page but one is asked for early: the stores wait for the loads.
        const int Ahead = 2048;
        for (var end = from + length; from < end; from += BlockBytes, to += BlockBytes)
        {
            Sse.Prefetch0(from + Ahead);
            Sse.Prefetch0(from + Ahead + 64);
            Sse.Prefetch0(from + Ahead + 128);
            Sse.Prefetch0(from + Ahead + 192);
            var a = Vector256.Load(from);
            var b = Vector256.Load(from + 32);
            var c = Vector256.Load(from + 64);
            var d = Vector256.Load(from + 96);
            var e = Vector256.Load(from + 128);
            var f = Vector256.Load(from + 160);
            var g = Vector256.Load(from + 192);
            var h = Vector256.Load(from + 224);
            a.StoreAlignedNonTemporal(to);
            b.StoreAlignedNonTemporal(to + 32);
            c.StoreAlignedNonTemporal(to + 64);
            d.StoreAlignedNonTemporal(to + 96);
            e.StoreAlignedNonTemporal(to + 128);
            f.StoreAlignedNonTemporal(to + 160);
            g.StoreAlignedNonTemporal(to + 192);
            h.StoreAlignedNonTemporal(to + 224);
        }

        Sse.StoreFence();
    }
}
