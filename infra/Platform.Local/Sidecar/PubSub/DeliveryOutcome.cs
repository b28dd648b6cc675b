namespace Platform.Local.Sidecar.PubSub;

/// <summary>What became of a delivery.</summary>
internal enum DeliveryOutcome
{
    /// <summary>Handled: it may be forgotten.</summary>
    Success,

    /// <summary>Nobody wants it: to the dead letters, or forgotten.</summary>
    Drop,

    /// <summary>Failed: to the dead letters, or again later.</summary>
    Retry,

    /// <summary>The app is not there: keep it for when it is.</summary>
    Away,
}
