namespace Platform.Local.FunctionsHost.Admin;

/// <summary>What the admin paths may do with the whole host.</summary>
internal interface IHostControl
{
    /// <summary>Begins to load the app's files anew, with a new handler process; requests wait meanwhile.</summary>
    void Restart(string reason);

    /// <summary>Takes the app off, or starts it again.</summary>
    void SetOffline(bool offline);
}
