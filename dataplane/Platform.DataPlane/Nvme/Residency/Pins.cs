using System.Text;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Keys whose blobs an operator wants kept: never evicted, also when the blob comes later, is replaced, or the tier is opened again.</summary>
/// <remarks>In the catalog as <c>pin/{key}</c>. A pin does not fetch, and does not stop anybody from removing the blob on request.</remarks>
internal sealed class Pins(TierEnvironment tier, Residents residents)
{
    private const string Prefix = "pin/";

    /// <summary>Reads the pins of earlier runs. Before anything is restored.</summary>
    public void Restore()
    {
        foreach (var key in tier.Catalog.Keys(Prefix))
        {
            residents.Pinned.Add(key[Prefix.Length..]);
        }
    }

    /// <summary>Pins a key, or ends its pin; durable when it completes.</summary>
    /// <returns>False if it was so already.</returns>
    public async Task<bool> SetAsync(string key, bool pinned, CancellationToken cancellationToken)
    {
        await residents.Turn.WaitAsync(cancellationToken);
        try
        {
            if (residents.Pinned.Contains(key) == pinned)
            {
                return false;
            }

            await tier.Catalog.CommitAsync([new(Prefix + key, pinned ? Encoding.UTF8.GetBytes($"{tier.Options.Time.GetUtcNow():O}") : null)], CancellationToken.None);
            lock (residents.Gate)
            {
                if (pinned)
                {
                    residents.Pinned.Add(key);
                }
                else
                {
                    residents.Pinned.Remove(key);
                }

                if (residents.Blobs.TryGetValue(key, out var blob))
                {
                    blob.IsPinned = pinned;
                }
            }

            return true;
        }
        finally
        {
            residents.Turn.Release();
        }
    }
}
