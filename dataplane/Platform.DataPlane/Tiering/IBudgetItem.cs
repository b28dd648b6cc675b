namespace Platform.DataPlane.Tiering;

/// <summary>What the budget knows of a blob.</summary>
internal interface IBudgetItem
{
    string Key { get; }

    TierClass Class { get; }

    /// <summary>Bytes of the budget that it takes.</summary>
    long AllocatedBytes { get; }

    /// <summary>False while it is leased, pinned or an only copy.</summary>
    bool MayGo { get; }

    /// <summary>When it was leased last, counted in leases.</summary>
    long LastUsed { get; }
}
