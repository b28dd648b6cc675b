using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;

namespace Platform.UnitTests.Nvme.Kills;

/// <summary>Works a tier in every way there is, in an order that a seed gives, and says before each step what it is about to do and after it that it is done.</summary>
/// <remarks>
/// <c>? verb key version</c> before, <c>+</c> after, <c>-</c> when the tier refused for want of room, <c>!</c> when it failed: then it happened or did not. Run by <see cref="ChildMain"/> in a process of its own, which is killed;
/// <see cref="TierModel"/> reads the lines.
/// </remarks>
internal sealed class TierWorkload(NvmeTier tier, string folder, Random random, Action<string> say, Action<StorageException>? failed = null)
{
    public const int Chunk = 4096;
    public const int BudgetChunks = 24;
    public const int Objects = 5;
    public const int Copies = 4;
    public const int BlockKeys = 6;
    public const long BlockBytes = 16 << 20;
    private const int Steps = 50;

    // Most blobs that are written here are larger, so their uploads are in parts.
    private const int UploadPart = Chunk;

    private readonly DirectoryObjectStorage _objects = new(Path.Combine(folder, "objects"));

    /// <summary>Arguments: folder, seed, number of the first version that may be written, fault point, at which passing of it to die; or, if the last is not 0, to fail there, as all of the same kind do from then on, and to die so many points later.</summary>
    internal static async Task ChildMain(string[] args)
    {
        // One write per line, so that a kill leaves no half of one behind a whole.
        var output = Console.OpenStandardOutput();
        var gate = new Lock();
        void Say(string line)
        {
            lock (gate)
            {
                output.Write(System.Text.Encoding.ASCII.GetBytes(line + "\n"));
            }
        }

        var (point, left, toLive) = (args[3], int.Parse(args[4], CultureInfo.InvariantCulture), int.Parse(args[5], CultureInfo.InvariantCulture));
        var random = new Random(int.Parse(args[1], CultureInfo.InvariantCulture));
        var (isOpen, isBroken) = (false, false);
        Say("open");
        void Pass(string at)
        {
            if (toLive == 0 ? at == point && Interlocked.Decrement(ref left) == 0 : Volatile.Read(ref isBroken) && Interlocked.Decrement(ref toLive) == 0)
            {
                Say($"die {at}");
                ChildProgram.Die();
            }

            if (toLive != 0 && Volatile.Read(ref isOpen) && (Volatile.Read(ref isBroken) ? IsOfOneKind(at, point) : at == point && Interlocked.Decrement(ref left) == 0))
            {
                Volatile.Write(ref isBroken, true);
                throw new IOException("Input/output error", 5);
            }
        }

        // Without fault points I/O takes the faster way through the kernel's ring, which deserves to be killed too.
        await using var tier = await OpenAsync(args[0], point == "none" ? null : Pass);
        Say("opened");
        Volatile.Write(ref isOpen, true);
        await new TierWorkload(tier, args[0], random, Say, _ => { }).RunAsync(int.Parse(args[2], CultureInfo.InvariantCulture));
        Say("die end");
        ChildProgram.Die();
    }

    private static bool IsOfOneKind(string point, string other) => point.AsSpan(0, point.IndexOf('.')).SequenceEqual(other.AsSpan(0, other.IndexOf('.')));

    public static Task<NvmeTier> OpenAsync(string folder, Action<string>? faultPoint, TimeProvider? time = null, bool blocks = true) => NvmeTier.OpenAsync(
        new NvmeTierOptions
        {
            Folder = Path.Combine(folder, "tier"),
            ChunkBytes = Chunk,
            Buffers = 4,
            MetadataBytes = 4 << 20,
            LimitBytes = (4 << 20) + (blocks ? BlockBytes : 0) + (BudgetChunks * Chunk),
            OnlyCopyLimitBytes = BudgetChunks * Chunk / 2,
            UploadPartBytes = UploadPart,
            BlockBytes = blocks ? BlockBytes : 0,
            BlockMemoryBytes = 2 << 20,
            FaultPoint = faultPoint,
            Time = time ?? TimeProvider.System,
        },
        NullLogger.Instance);

    public static byte[] Content(string key, int version) => Pattern.Bytes((Chunk * ((key[^1] + version) % 5)) + 321 + version, key[^1] ^ (version << 8));

    public static byte[] BlockContent(string key, int version) => Pattern.Bytes((key[^1] + (version * 7919)) % 6000, key[^1] ^ (version << 8));

    public static string UploadKey(string key) => $"up/{key}";

    public async Task RunAsync(int version)
    {
        var uploads = random.Next(2) == 0;
        if (uploads)
        {
            tier.StartUploads(_objects, UploadKey);
        }

        for (var step = 0; step < Steps; step++)
        {
            var obj = $"obj-{random.Next(Objects)}";
            var copy = $"copy-{random.Next(Copies)}";
            var block = $"block-{random.Next(BlockKeys)}";
            switch (random.Next(20))
            {
                case 0:
                    await StepAsync("publish", obj, ++version, () => _objects.PutAsync(obj, Content(obj, version)));
                    break;
                case 1:
                    await StepAsync("remove", obj, 0, () => tier.RemoveAsync(obj));
                    break;
                case 2:
                    await StepAsync("remove", copy, 0, () => tier.RemoveAsync(copy));
                    break;
                case 3:
                    await StepAsync("pin", $"obj-{random.Next(2)}", 0, key => tier.PinAsync(key));
                    break;
                case 4:
                    await StepAsync("unpin", $"obj-{random.Next(2)}", 0, key => tier.UnpinAsync(key));
                    break;
                case 5 when uploads:
                    await StepAsync("uploaded", "all", 0, () => tier.WhenUploadedAsync());
                    break;
                case 5 or 6 or 7 or 8:
                    await StepAsync("put", copy, ++version, () => PutAsync(copy, version));
                    break;
                case 9 or 10 or 11:
                    await StepAsync("read", obj, 0, () => ReadAsync(obj));
                    break;
                case 16 or 17 when tier.Blocks is not null:
                    await StepAsync("keep", block, ++version, () => tier.Blocks!.PutAsync(block, BlockContent(block, version)).AsTask());
                    break;
                case 18 when tier.Blocks is not null:
                    await StepAsync("drop", block, 0, () => tier.Blocks!.DeleteAsync(block).AsTask());
                    break;
                case 19 when tier.Blocks is not null:
                    await StepAsync("get", block, 0, () => tier.Blocks!.GetAsync(block).AsTask());
                    break;
                default:
                    await StepAsync("fill", obj, 0, () => FillAsync(obj));
                    break;
            }
        }
    }

    private Task StepAsync(string verb, string key, int version, Func<string, Task> act) => StepAsync(verb, key, version, () => act(key));

    private async Task StepAsync(string verb, string key, int version, Func<Task> act)
    {
        var line = $"{verb} {key} {version.ToString(CultureInfo.InvariantCulture)}";
        say("? " + line);
        try
        {
            await act();
            say("+ " + line);
        }
        catch (StorageException fault) when (failed is not null && fault.Error == StorageError.Io)
        {
            say("! " + line);
            failed(fault);
        }
        catch (StorageException refused) when (refused.Error == StorageError.Full)
        {
            say("- " + line);
        }
        catch (StorageException refused) when (refused.Error == StorageError.NotFound && verb is "fill" or "read")
        {
            say("- " + line);
        }
    }

    private Task PutAsync(string key, int version)
    {
        var content = Content(key, version);
        return tier.PutAsync(key, TierClass.Checkpoints, new MemoryStream(content), content.Length);
    }

    private async Task FillAsync(string key)
    {
        await using var lease = await LeaseAsync(key);
        await lease.FillAsync();
    }

    private async Task ReadAsync(string key)
    {
        await using var lease = await LeaseAsync(key);
        var offset = random.Next((int)lease.LengthBytes);
        await lease.ReadAsync(offset, new byte[random.Next((int)lease.LengthBytes - offset)]);
    }

    private async Task<BlobLease> LeaseAsync(string key)
    {
        var info = await _objects.HeadAsync(key) ?? throw new StorageException(StorageError.NotFound, key);
        return await tier.OpenAsync(new BlobSource(key, _objects, key, info.LengthBytes, info.ETag));
    }
}
