using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;

namespace Platform.UnitTests.Nvme.Kills;

/// <summary>What must, and what may, be in a tier after what <see cref="TierWorkload"/> said; over many kills of one folder.</summary>
internal sealed class TierModel(string folder, bool blocks = true)
{
    private readonly Dictionary<string, SortedSet<int>> _copies = [];
    private readonly Dictionary<string, SortedSet<int>> _blocks = [];
    private readonly Dictionary<string, bool> _pins = [];
    private readonly Dictionary<string, int> _published = [];
    private readonly HashSet<string> _mustBeWhole = [];
    private (string Verb, string Key)? _begun;

    /// <summary>Highest version that was begun.</summary>
    public int Version { get; private set; }

    /// <summary>Steps that were acknowledged, by verb.</summary>
    public Dictionary<string, int> Acknowledged { get; } = [];

    /// <summary>Takes the lines of one life. The last step may have no end: then it happened or did not.</summary>
    public void Take(IEnumerable<string> lines)
    {
        _begun = null;
        foreach (var line in lines)
        {
            if (line.Split(' ') is not [var sign and ("?" or "+" or "-" or "!"), var verb, var key, var number])
            {
                continue;
            }

            var version = int.Parse(number, System.Globalization.CultureInfo.InvariantCulture);
            Version = Math.Max(Version, version);
            if (sign == "?")
            {
                _begun = (verb, key);
                Begin(verb, key, version);
                continue;
            }

            _begun = null;
            if (sign == "+")
            {
                Acknowledged[verb] = Acknowledged.GetValueOrDefault(verb) + 1;
                End(verb, key, version);
            }
            else if (sign == "!" && verb is "pin" or "unpin")
            {
                _pins.Remove(key);
            }
            else if (sign == "-" && verb == "put")
            {
                _copies[key].Remove(version);
            }
        }
    }

    /// <summary>Opens the folder as the next life would, and looks at everything.</summary>
    /// <param name="cancellationToken">Stops the looking.</param>
    /// <param name="afterMore">True if more was let in since the last line, which may have evicted anything.</param>
    public async Task CheckAsync(CancellationToken cancellationToken, bool afterMore = false)
    {
        if (afterMore)
        {
            _mustBeWhole.Clear();
        }

        var objects = new DirectoryObjectStorage(Path.Combine(folder, "objects"));
        var tierFolder = Path.Combine(folder, "tier");
        await using var tier = await TierWorkload.OpenAsync(folder, null, blocks: blocks);
        var blobs = (await tier.ListAsync(cancellationToken)).ToDictionary(blob => blob.Key);

        Assert.InRange(tier.UsedBytes, 0, tier.LimitBytes);
        Assert.Equal(blobs.Values.Sum(blob => blob.AllocatedBytes) + (blocks ? TierWorkload.BlockBytes : 0), tier.UsedBytes);
        Assert.Equal(blobs.Count, Directory.GetFiles(Path.Combine(tierFolder, "blobs")).Length);
        Assert.Equal(blocks ? ["blobs", "blocks", "catalog"] : ["blobs", "catalog"], Directory.GetDirectories(tierFolder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.InRange(Directory.GetFiles(tierFolder, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length), 0, tier.LimitBytes + (4 << 20));
        await foreach (var damage in tier.VerifyAsync(cancellationToken))
        {
            Assert.Fail($"damaged after a kill: {damage}");
        }

        foreach (var key in _mustBeWhole)
        {
            Assert.True(blobs.TryGetValue(key, out var blob) && blob.Sealed, $"'{key}' was filled, and nothing since could evict it, but it is {(blob is null ? "gone" : "not whole")}");
        }

        foreach (var (key, pinned) in _pins)
        {
            Assert.True(tier.Explain(key).Pinned == pinned || _begun is ("pin" or "unpin", var pin) && pin == key, $"'{key}' was {(pinned ? "pinned" : "unpinned")}, and is not");
        }

        await CheckCopiesAsync(tier, blobs, objects, cancellationToken);
        await CheckObjectsAsync(tier, blobs, objects, cancellationToken);
        await CheckBlocksAsync(tier, cancellationToken);

        // What may have happened has been looked at: from here on it is known.
        foreach (var key in _pins.Keys)
        {
            _pins[key] = tier.Explain(key).Pinned;
        }
    }

    private void Begin(string verb, string key, int version)
    {
        if (verb == "put")
        {
            (_copies.TryGetValue(key, out var versions) ? versions : _copies[key] = [0]).Add(version);
        }
        else if (verb == "remove" && _copies.TryGetValue(key, out var versions))
        {
            versions.Add(0);
        }
        else if (verb is "keep" or "drop")
        {
            (_blocks.TryGetValue(key, out var values) ? values : _blocks[key] = [0]).Add(version);
        }
        else if (verb is "pin" or "unpin")
        {
            _pins.TryAdd(key, false);
        }

        // Whatever is let in may push out what nobody holds; a pinned one stays, but for a newer version of itself.
        if (verb is "put" or "fill" or "read" or "publish")
        {
            _mustBeWhole.RemoveWhere(item => item == key || !_pins.GetValueOrDefault(item));
        }
        else if (verb is "remove")
        {
            _mustBeWhole.Remove(key);
        }
    }

    private void End(string verb, string key, int version)
    {
        switch (verb)
        {
            case "put":
                _copies[key] = [version];
                break;
            case "remove" when _copies.ContainsKey(key):
                _copies[key] = [0];
                break;
            case "keep" or "drop":
                _blocks[key] = [version];
                break;
            case "pin" or "unpin":
                _pins[key] = verb == "pin";
                break;
            case "publish":
                _published[key] = version;
                break;
            case "fill":
                _mustBeWhole.Add(key);
                break;
        }
    }

    /// <summary>Of what was written here, one of the versions that may be there is there, whole: in the tier, or in object storage if it was evicted after its upload. 0 stands for none.</summary>
    private async Task CheckCopiesAsync(NvmeTier tier, Dictionary<string, TierBlob> blobs, DirectoryObjectStorage objects, CancellationToken cancellationToken)
    {
        foreach (var (key, versions) in _copies)
        {
            var found = -1;
            if (blobs.TryGetValue(key, out var blob))
            {
                Assert.True(blob.Sealed, $"'{key}' was served before it was whole");
                await using var lease = tier.TryOpen(key)!;
                found = await MatchAsync(key, versions, lease.LengthBytes, target => lease.ReadAsync(0, target, cancellationToken).AsTask());
                if (blob.Durability == Durability.Replicated)
                {
                    Assert.Equal(blob.ETag, (await objects.HeadAsync(TierWorkload.UploadKey(key), cancellationToken))?.ETag);
                }
            }
            else if (!versions.Contains(0) && await objects.HeadAsync(TierWorkload.UploadKey(key), cancellationToken) is { } copy)
            {
                found = await MatchAsync(key, versions, copy.LengthBytes, target => objects.ReadAsync(copy.Key, 0, target, cancellationToken: cancellationToken));
            }
            else if (versions.Contains(0))
            {
                found = 0;
            }

            Assert.True(found >= 0, $"'{key}': expected one of the versions {string.Join(", ", versions)}, and found {(blobs.ContainsKey(key) ? "another" : "none")}");
            versions.RemoveWhere(version => version != found);
        }

        foreach (var blob in blobs.Values)
        {
            Assert.True(!blob.Key.StartsWith("copy-", StringComparison.Ordinal) || _copies.ContainsKey(blob.Key), $"'{blob.Key}' was never written");
        }
    }

    /// <summary>What was kept is there, as one of the versions that it may be. 0 stands for none: lives like these keep far less than makes the oldest go.</summary>
    private async Task CheckBlocksAsync(NvmeTier tier, CancellationToken cancellationToken)
    {
        foreach (var (key, versions) in _blocks)
        {
            var bytes = await tier.Blocks!.GetAsync(key, cancellationToken);
            var found = bytes is null ? 0 : versions.Where(version => version > 0 && TierWorkload.BlockContent(key, version).AsSpan().SequenceEqual(bytes)).FirstOrDefault(-1);
            Assert.True(versions.Contains(found), $"'{key}': expected one of the versions {string.Join(", ", versions)} as a block, and found {(bytes is null ? "none" : "another")}");
            versions.RemoveWhere(version => version != found);
        }
    }

    private static async Task<int> MatchAsync(string key, IEnumerable<int> versions, long length, Func<Memory<byte>, Task> read)
    {
        var bytes = new byte[length];
        await read(bytes);
        return versions.Where(version => version > 0 && TierWorkload.Content(key, version).AsSpan().SequenceEqual(bytes)).FirstOrDefault(-1);
    }

    /// <summary>What comes from object storage is what is there, wherever the tier left off.</summary>
    private async Task CheckObjectsAsync(NvmeTier tier, Dictionary<string, TierBlob> blobs, DirectoryObjectStorage objects, CancellationToken cancellationToken)
    {
        foreach (var key in _published.Keys)
        {
            var info = (await objects.HeadAsync(key, cancellationToken))!;
            var expected = new byte[info.LengthBytes];
            await objects.ReadAsync(key, 0, expected, info.ETag, cancellationToken);
            if (!blobs.TryGetValue(key, out var blob) || blob.ETag != info.ETag)
            {
                continue;
            }

            await using var lease = await tier.OpenAsync(new BlobSource(key, objects, key, info.LengthBytes, info.ETag), cancellationToken);
            var bytes = new byte[info.LengthBytes];
            await lease.ReadAsync(0, bytes, cancellationToken);
            Assert.True(expected.AsSpan().SequenceEqual(bytes), $"wrong bytes of '{key}'");
            await lease.FillAsync(cancellationToken: cancellationToken);
            _mustBeWhole.Add(key);
        }
    }
}
