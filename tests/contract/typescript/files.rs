//! The files that are exported.

use std::fs;

use zocket::contract::Info;

use super::{folder, small};

#[test]
fn a_file_is_written_only_when_it_changed() {
    let file = folder("once").join("zocket.ts");
    let _ = fs::remove_file(&file);
    assert!(small().export(&file).unwrap());
    assert!(!small().export(&file).unwrap());
    fs::write(&file, "else").unwrap();
    assert!(small().export(&file).unwrap());
    let nowhere = small().export(file.join("below.ts")).unwrap_err();
    assert!(nowhere.to_string().contains("below.ts"), "{nowhere}");
}

#[test]
fn export_all_writes_nothing_that_needs_react() {
    let folder = folder("all");
    let _ = fs::remove_dir_all(&folder);
    small().export_all(&folder, &Info::new("A", "1")).unwrap();
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "asyncapi.json",
            "contract.json",
            "zocket.d.ts",
            "zocket.js",
            "zocket.ts"
        ]
    );
}

#[test]
fn the_react_export_has_typescript_and_no_javascript() {
    let folder = folder("react");
    let _ = fs::remove_dir_all(&folder);
    small().export_react(&folder).unwrap();
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    files.sort();
    assert_eq!(files, ["zocket-react.tsx", "zocket.ts"]);
    assert_eq!(
        fs::read_to_string(folder.join("zocket.ts")).unwrap(),
        small().typescript()
    );
}
