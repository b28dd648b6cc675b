namespace Platform.Local.Sidecar.App;

/// <summary>What is wrong with an app.</summary>
internal sealed class AppUnhealthyEventArgs(string reason) : EventArgs
{
    /// <summary>In words that follow the app's name.</summary>
    public string Reason => reason;
}
