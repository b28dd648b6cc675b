namespace Platform.DataPlane.Nvme;

/// <summary>What <see cref="NvmeTier.CheckAsync"/> found in one blob.</summary>
/// <param name="Key">The blob's key.</param>
/// <param name="FilePath">Its file.</param>
/// <param name="CheckedBytes">Bytes that were read and compared.</param>
/// <param name="Damage">Chunks that are damaged, or were; empty if all is well.</param>
public sealed record TierCheck(string Key, string FilePath, long CheckedBytes, IReadOnlyList<TierDamage> Damage);

/// <summary>One damaged chunk.</summary>
/// <param name="Offset">Where in the file it begins.</param>
/// <param name="LengthBytes">How long it is.</param>
/// <param name="Problem">What was found, and what was expected.</param>
/// <param name="Repaired">True if it was fetched again, and is right now.</param>
/// <param name="Outlook">What becomes of it if it was not repaired: whether it can be fetched again, or is lost.</param>
public sealed record TierDamage(long Offset, int LengthBytes, string Problem, bool Repaired, string Outlook);
